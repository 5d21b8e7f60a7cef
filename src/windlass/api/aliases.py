"""Verbs on aliases: further host names that an application answers at."""

from litestar import Response, delete, get, post

from windlass.api import wire
from windlass.api.answers import json_answer
from windlass.api.applications import MEMBER, application_of
from windlass.api.bodies import Body, body_of
from windlass.api.paging import short_page
from windlass.api.prefer import job_answer
from windlass.api.requests import Asked
from windlass.api.submitting import named, submit_on
from windlass.engine.lease import JobId
from windlass.errors import NotFound, Refused, Taken
from windlass.model.aliases import check_alias
from windlass.model.applications import Application
from windlass.operations.aliases import AddAlias, RemoveAlias

ONE = [f"{path}/{name}/{{alias:str}}" for path in MEMBER for name in ("aliases", "alias")]


class NewAlias(Body, frozen=True):
    """The host name; OpenShift's own client calls it `alias`."""

    id: str | None = None
    alias: str | None = None
    event: str | None = None


@get([path + "/aliases" for path in MEMBER])
async def list_aliases(request: Asked) -> Response[bytes]:
    """The aliases of an application, by name."""
    application = await application_of(request)
    found = await request.front.broker.store.routing.aliases(application.id)
    return short_page(request, [wire.alias(one) for one in found])


@get(ONE)
async def show_alias(request: Asked) -> Response[bytes]:
    """An alias."""
    application = await application_of(request)
    return json_answer(wire.alias(await alias_of(request, application, request.names("alias"))))


@post([path + "/aliases" for path in MEMBER], opt={"body": NewAlias})
async def add_alias(request: Asked) -> Response[bytes] | Response[str]:
    """One more host name: a job."""
    application = await application_of(request)
    wish = await body_of(request, NewAlias)
    return await job_answer(request, await add(request, application, wish.id or wish.alias))


@delete(ONE, status_code=200)
async def remove_alias(request: Asked) -> Response[bytes] | Response[str]:
    """One host name fewer: a job."""
    application = await application_of(request)
    return await job_answer(request, await remove(request, application, request.names("alias")))


async def add(request: Asked, application: Application, text: str | None) -> JobId:
    """The job that adds an alias; Taken if anybody has it."""
    if text is None:
        raise Refused("say which host name, as in www.example.com", field="id", code=105)
    fqdn = check_alias(text, request.front.broker.apps_domain)
    operation = AddAlias(application.domain, application.id, named(application), fqdn)
    try:
        return (await submit_on(request, operation, application)).job
    except Taken:
        raise Taken(f"{fqdn} is an alias already", field="id", code=140) from None


async def remove(request: Asked, application: Application, text: str | None) -> JobId:
    """The job that removes an alias."""
    fqdn = await alias_of(request, application, text or "")
    operation = RemoveAlias(application.domain, application.id, named(application), fqdn)
    return (await submit_on(request, operation, application)).job


async def alias_of(request: Asked, application: Application, text: str) -> str:
    """The alias that is meant, or NotFound."""
    fqdn = text.lower().rstrip(".")
    if fqdn not in await request.front.broker.store.routing.aliases(application.id):
        raise NotFound(f"{application.name} has no alias {text[:64]}", code=173)
    return fqdn
