"""The cartridges of an application, and the bounds between which they scale."""

from litestar import Response, get, put

from windlass.api import wire
from windlass.api.answers import json_answer
from windlass.api.applications import MEMBER, application_of
from windlass.api.bodies import Body, body_of
from windlass.api.paging import short_page
from windlass.api.prefer import job_answer
from windlass.api.requests import Asked
from windlass.api.submitting import named, submit_on
from windlass.errors import NotFound, Refused
from windlass.model.applications import Application
from windlass.model.scaling import check_bounds
from windlass.operations.scaling import BoundScaling

ALL = [path + "/cartridges" for path in MEMBER]
ONE = [
    f"{path}/{name}/{{cartridge:str}}" for path in MEMBER for name in ("cartridges", "cartridge")
]


class Scaling(Body, frozen=True):
    """The fewest and the most gears."""

    scales_from: int | None = None
    scales_to: int | None = None


@get(ALL)
async def list_app_cartridges(request: Asked) -> Response[bytes]:
    """What an application is made of."""
    return short_page(request, [await cartridge_of(request, await application_of(request))])


@get(ONE)
async def show_app_cartridge(request: Asked) -> Response[bytes]:
    """A cartridge of an application."""
    return json_answer(await cartridge_of(request, await with_cartridge(request)))


@put(ONE, opt={"body": Scaling}, status_code=200)
async def bound_cartridge(request: Asked) -> Response[bytes] | Response[str]:
    """Other bounds, and the gears that they ask for: a job."""
    application = await with_cartridge(request)
    wish = await body_of(request, Scaling)
    if wish.scales_from is None and wish.scales_to is None:
        raise Refused("say scales_from, scales_to or both", field="scales_from", code=168)
    bounds = check_bounds(
        application.scales_from if wish.scales_from is None else wish.scales_from,
        application.scales_to if wish.scales_to is None else wish.scales_to,
    )
    operation = BoundScaling(
        application.domain, application.id, named(application), bounds.least, bounds.most
    )
    submitted = await submit_on(request, operation, application)
    return await job_answer(request, submitted.job)


async def with_cartridge(request: Asked) -> Application:
    """The application, which must have the cartridge that the path names."""
    application = await application_of(request)
    name = request.names("cartridge")
    if name != application.cartridge:
        has = f"{application.name} has no cartridge {name[:64]}; it has {application.cartridge}"
        raise NotFound(has, code=129)
    return application


async def cartridge_of(request: Asked, application: Application) -> wire.Json:
    """A cartridge as it is in an application."""
    gears = await request.front.summary.gears([application.id])
    return {
        "name": application.cartridge,
        "gear_profile": application.size,
        "scales_from": application.scales_from,
        "scales_to": application.scales_to,
        "current_scale": gears.get(application.id, 0),
    }
