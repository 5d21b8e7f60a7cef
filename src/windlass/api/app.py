"""The API as one application: every noun's verbs under /broker/rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig

from windlass.api import (
    aliases,
    app_cartridges,
    app_events,
    applications,
    cartridges,
    configuring,
    domains,
    gear_groups,
    health,
    job_events,
    jobs,
    metrics,
    nodes,
    releases,
    service,
    sweeping,
    users,
    variables,
)
from windlass.api.auth import guard
from windlass.api.bodies import MOST
from windlass.api.front import Front
from windlass.api.problems import on_http, on_refusal, on_surprise
from windlass.api.requests import Asked, number_answer
from windlass.api.wire import ROOT, VERSION
from windlass.broker import Broker
from windlass.errors import WindlassError
from windlass.settings import Settings

HANDLERS = [
    service.show_service,
    service.show_schema,
    users.show_user,
    users.list_tokens,
    users.create_token,
    users.revoke_token,
    cartridges.list_cartridges,
    nodes.list_nodes,
    nodes.show_node,
    domains.list_domains,
    domains.create_domain,
    domains.show_domain,
    domains.rename_domain,
    domains.delete_domain,
    applications.list_all,
    applications.list_applications,
    applications.create_application,
    applications.show_application,
    applications.delete_application,
    app_events.application_event,
    configuring.configure_application,
    app_cartridges.list_app_cartridges,
    app_cartridges.show_app_cartridge,
    app_cartridges.bound_cartridge,
    gear_groups.list_gear_groups,
    gear_groups.list_dashed_gear_groups,
    gear_groups.show_gear_group,
    aliases.list_aliases,
    aliases.show_alias,
    aliases.add_alias,
    aliases.remove_alias,
    releases.list_releases,
    releases.deploy,
    variables.list_variables,
    variables.change_variables,
    variables.set_variables,
    variables.show_variable,
    variables.set_variable,
    variables.unset_variable,
    jobs.list_jobs,
    jobs.list_domain_jobs,
    jobs.list_application_jobs,
    jobs.list_jobs_of_id,
    jobs.show_job,
    job_events.job_event,
]


def build(broker: Broker, settings: Settings) -> Litestar:
    """The application on a broker, which stays the caller's to close."""
    front = Front(broker, settings)
    return Litestar(
        route_handlers=[Router(ROOT, route_handlers=HANDLERS), health.health, metrics.metrics],
        guards=[guard],
        before_send=[number_answer],
        exception_handlers={
            WindlassError: on_refusal,
            HTTPException: on_http,
            Exception: on_surprise,
        },
        lifespan=[serving(front)],
        state=State({"front": front}),
        request_class=Asked,
        request_max_body_size=MOST,
        openapi_config=OpenAPIConfig(title="windlass", version=VERSION),
        logging_config=None,
    )


def serving(front: Front):  # type: ignore[no-untyped-def]
    """What is done before the first request and after the last one."""

    @asynccontextmanager
    async def life(_: Litestar) -> AsyncIterator[None]:
        task = asyncio.ensure_future(sweeping.keep_swept(front.broker))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await front.close()

    return life
