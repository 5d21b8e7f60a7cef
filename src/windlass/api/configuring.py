"""Configuring applications: what can be said of one that is there."""

import msgspec
from litestar import Response, put

from windlass.api.applications import MEMBER, application_of
from windlass.api.bodies import Body, body_of
from windlass.api.prefer import job_answer
from windlass.api.requests import Asked
from windlass.api.submitting import named, submit_on
from windlass.errors import Refused
from windlass.model.health import check_health_grace, check_health_path
from windlass.operations.health import ConfigureHealth


class Configuration(Body, frozen=True):
    """What is to be otherwise; null gives it back to the cartridge."""

    health_path: str | msgspec.UnsetType | None = msgspec.UNSET
    health_grace: float | msgspec.UnsetType | None = msgspec.UNSET


@put(MEMBER, opt={"body": Configuration}, status_code=200)
async def configure_application(request: Asked) -> Response[bytes] | Response[str]:
    """Another health check, at once and from the next start on: a job."""
    application = await application_of(request)
    wish = await body_of(request, Configuration)
    path, grace = wish.health_path, wish.health_grace
    if path is msgspec.UNSET and grace is msgspec.UNSET:
        raise Refused("say health_path, health_grace or both", field="health_path")
    if isinstance(path, str):
        check_health_path(path)
    if isinstance(grace, float):
        check_health_grace(grace)
    operation = ConfigureHealth(
        application.domain,
        application.id,
        named(application),
        application.health_path if isinstance(path, msgspec.UnsetType) else path,
        application.health_grace if isinstance(grace, msgspec.UnsetType) else grace,
    )
    submitted = await submit_on(request, operation, application)
    return await job_answer(request, submitted.job)
