"""Verbs on applications."""

import re

from litestar import Response, delete, get, post

from windlass.api import wire
from windlass.api.answers import json_answer
from windlass.api.bodies import Body, body_of
from windlass.api.domains import domain_of, owner_of, plain
from windlass.api.looking import look
from windlass.api.paging import cut, limit_of, page
from windlass.api.prefer import job_answer
from windlass.api.requests import Asked
from windlass.api.submitting import named, same_id, submit, submit_on
from windlass.api.wire import Beside
from windlass.errors import NotFound, Refused, Taken
from windlass.model.applications import APP_NAME, Application, check_app_name
from windlass.model.ids import AppId, DomainId, UserId, app_id
from windlass.model.sizes import SMALL, size_of
from windlass.operations.applications import CreateApplication, DeleteApplication

MEMBER = [
    "/domains/{domain:str}/applications/{name:str}",
    "/domain/{domain:str}/application/{name:str}",
    "/application/{id:str}",
]
APP_ID = re.compile(r"[a-z0-9]{1,32}")


class NewApplication(Body, frozen=True):
    """What an application is to be."""

    name: str
    cartridge: str
    gear_size: str = SMALL.name


@get("/applications")
async def list_all(request: Asked) -> Response[bytes]:
    """All the applications that one may see."""
    return await listed(request, owner_of(request), None)


@get(["/domains/{domain:str}/applications", "/domain/{domain:str}/applications"])
async def list_applications(request: Asked) -> Response[bytes]:
    """The applications of a domain."""
    return await listed(request, None, (await domain_of(request)).id)


async def listed(request: Asked, owner: UserId | None, domain: DomainId | None) -> Response[bytes]:
    """A page of applications, by domain and name."""
    limit, front = limit_of(request), request.front
    of, _, name = plain(request.query_params.get("after", "")).partition("/")
    found = await front.broker.store.applications.page(owner, domain, (of, name), limit + 1)
    items, last = cut(found, limit)
    after = {"after": f"{last.domain_name}/{last.name}"} if last else None
    return page(request, await front.applications(items), after)


@post(
    ["/domains/{domain:str}/applications", "/domain/{domain:str}/applications"],
    opt={"body": NewApplication},
)
async def create_application(request: Asked) -> Response[bytes] | Response[str]:
    """A new application: a job."""
    domain = await domain_of(request)
    wish = await body_of(request, NewApplication)
    check_app_name(wish.name)
    size_of(wish.gear_size)
    known = request.front.broker.catalog.cartridges
    if wish.cartridge not in known:
        there = f"there is no cartridge {wish.cartridge[:64]!r}; there is {', '.join(known)}"
        raise Refused(there, field="cartridge", code=109)
    id = AppId(same_id(request, "a", domain.owner, domain.id, wish.name) or app_id())
    operation = CreateApplication(
        domain.id, domain.name, domain.owner, id, wish.name, wish.cartridge, wish.gear_size
    )
    try:
        submitted = await submit(request, operation, domain, (id, wish.name))
    except Taken:
        taken = f"there is an application {wish.name} in {domain.name} already"
        raise Taken(taken, field="name", code=100) from None
    return await job_answer(request, submitted.job)


@get(MEMBER)
async def show_application(request: Asked) -> Response[bytes]:
    """An application, and how its instances are now."""
    application, front = await application_of(request), request.front
    numbers = await front.summary.numbers([application.release or ""])
    jobs = await front.summary.under_way([application.id])
    gears = await front.broker.store.fleet.gears(application.id)
    reports = await look(front.broker, gears)
    beside = Beside(
        release=numbers.get(application.release or ""),
        job=jobs.get(application.id),
        gears=len(gears),
        aliases=await front.broker.store.routing.aliases(application.id),
        instances=[instance for report in reports.values() for instance in report.instances],
    )
    return json_answer(wire.application(application, beside, front.urls))


@delete(MEMBER, status_code=200)
async def delete_application(request: Asked) -> Response[bytes] | Response[str]:
    """Nothing of the application is left: a job; who asks again gets the same one."""
    application = await application_of(request)
    operation = DeleteApplication(application.domain, application.id, named(application))
    submitted = await submit_on(request, operation, application)
    return await job_answer(request, submitted.job)


async def application_of(request: Asked) -> Application:
    """The application that the path names; what is somebody else's is not there."""
    store = request.front.broker.store.applications
    if "id" in request.path_params:
        name = request.names("id")
        found = await store.get(AppId(name)) if APP_ID.fullmatch(name) else None
    else:
        domain, name = await domain_of(request), request.names("name")
        found = await store.find(domain.id, name) if APP_NAME.fullmatch(name) else None
    if found is None or not request.caller.may_see(found.owner):
        raise NotFound(f"there is no application {name[:64]}", code=101)
    return found
