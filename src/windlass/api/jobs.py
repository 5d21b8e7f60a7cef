"""Verbs on jobs."""

import asyncio
import re
from collections.abc import Collection
from enum import StrEnum
from hashlib import blake2b
from typing import TypeVar

import msgspec
from litestar import Response, get, route
from litestar.response import Stream

from windlass.api.answers import raw_answer
from windlass.api.applications import APP_ID, application_of
from windlass.api.auth import HARMLESS
from windlass.api.domains import domain_of, owner_of
from windlass.api.paging import cut, limit_of, moment, page, whole
from windlass.api.prefer import LONGEST
from windlass.api.requests import Asked
from windlass.api.stream import EVENTS, stream
from windlass.api.wire import Json
from windlass.engine.job import Phase, Status
from windlass.engine.lease import JobId
from windlass.errors import Denied, NotFound, Refused
from windlass.model.accounts import LOGIN
from windlass.store.jobs import Filter, View

MEMBER = ["/jobs/{id:str}", "/job/{id:str}"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
KIND = re.compile(r"[a-z0-9-]{1,64}")
IDS = re.compile(r"[0-9]{1,18}(,[0-9]{1,18}){0,199}")
E = TypeVar("E", bound=StrEnum)


# -- lists ---------------------------------------------------------------------------------


@get("/jobs")
async def list_jobs(request: Asked) -> Response[bytes]:
    """The jobs that one may see, the newest first."""
    return await listed(request)


@get(["/domains/{domain:str}/jobs", "/domain/{domain:str}/jobs"])
async def list_domain_jobs(request: Asked) -> Response[bytes]:
    """The jobs of a domain."""
    return await listed(request, domain=(await domain_of(request)).id)


@get(
    [
        "/domains/{domain:str}/applications/{name:str}/jobs",
        "/domain/{domain:str}/application/{name:str}/jobs",
    ]
)
async def list_application_jobs(request: Asked) -> Response[bytes]:
    """The jobs of an application."""
    return await listed(request, application=(await application_of(request)).id)


@get("/application/{id:str}/jobs")
async def list_jobs_of_id(request: Asked) -> Response[bytes]:
    """The jobs of an application, which may be gone."""
    id = request.names("id")
    if not APP_ID.fullmatch(id):
        raise NotFound(f"there is no application {id[:64]}", code=101)
    return await listed(request, application=id)


async def listed(
    request: Asked, domain: str | None = None, application: str | None = None
) -> Response[bytes]:
    """A page of jobs."""
    limit, front = limit_of(request), request.front
    wanted = Filter(
        owner=await owner_wanted(request),
        domain=domain,
        application=application,
        statuses=chosen(request, "status", Status),
        phases=chosen(request, "phase", Phase),
        kind=matched(request, "operation", KIND),
        since=moment(request, "since"),
        ids=[int(id) for id in (matched(request, "ids", IDS) or "").split(",") if id],
        before=whole(request, "before", least=1, most=10**18),
        limit=limit + 1,
    )
    views, last = cut(await front.broker.store.jobs.page(wanted), limit)
    return page(request, await front.jobs(views), {"before": str(last.id)} if last else None)


async def owner_wanted(request: Asked) -> str | None:
    """Whose jobs to list: one's own; for operators everybody's, or those of one login."""
    login, user = request.query_params.get("owner"), request.caller.user
    if login is None or login == user.login:
        return owner_of(request) if login is None else user.id
    if not user.admin:
        raise Denied("only operators may ask for the jobs of others")
    accounts = request.front.broker.store.accounts
    found = await accounts.find(login) if LOGIN.fullmatch(login) else None
    if found is None:
        raise Refused(f"there is no user {login[:64]}", field="owner")
    return found[0].id


def chosen(request: Asked, name: str, kind: type[E]) -> Collection[E]:
    """The values of an enumeration that the query names, separated by commas."""
    texts = ",".join(request.query_params.getall(name, [])).split(",")
    try:
        return [kind(text) for text in texts if text]
    except ValueError:
        raise Refused(f"{name} is one of {', '.join(kind)}", field=name) from None


def matched(request: Asked, name: str, pattern: re.Pattern[str]) -> str | None:
    """A text of the query; Refused if it cannot be one."""
    text = request.query_params.get(name)
    if text and not pattern.fullmatch(text):
        raise Refused(f"there is no such {name}", field=name)
    return text or None


# -- one -----------------------------------------------------------------------------------


@route(MEMBER, http_method=METHODS, status_code=200, opt=HARMLESS)  # type: ignore[arg-type]
async def show_job(request: Asked) -> Response[bytes] | Stream:
    """A job, or its stream; whatever the method, nothing happens to it."""
    view, front = await job_of(request), request.front
    if EVENTS in request.headers.get("accept", ""):
        return stream(front, view.id, request.headers.get("last-event-id"))
    job, known = await front.job(view), request.headers.get("if-none-match", "")
    patience = whole(request, "wait", least=0, most=int(LONGEST))
    if patience and (not known or matches(known, tag(encoded(job)))):
        job = await changed(request, view.id, job, patience)
    content = encoded(job)
    headers = {"ETag": tag(content), "Cache-Control": "private, no-cache", "Vary": "Accept"}
    if job["retry_after"] is not None:
        headers["Retry-After"] = str(job["retry_after"])
    if matches(known, tag(content)):
        return Response(b"", status_code=304, headers=headers)
    return raw_answer(content, 200, headers)


async def changed(request: Asked, id: JobId, job: Json, patience: float) -> Json:
    """The job as soon as it is another than this, or has ended, or the patience is over."""
    async with request.front.hub.watch(id) as watcher:
        try:
            async with asyncio.timeout(patience):
                while watcher.shown.job == job and not watcher.shown.ended:
                    await watcher.bell.wait()
                    watcher.take()
        except TimeoutError:
            pass
        return watcher.shown.job


def encoded(job: Json) -> bytes:
    """The bytes of an answer."""
    return msgspec.json.encode(job)


def tag(content: bytes) -> str:
    """A strong ETag."""
    return f'"{blake2b(content, digest_size=12).hexdigest()}"'


def matches(known: str, tag: str) -> bool:
    """Whether the client has just this already."""
    tags = [one.strip().removeprefix("W/") for one in known.split(",")]
    return tag in tags or tags == ["*"]


async def job_of(request: Asked) -> View:
    """The job that the path names; what is somebody else's is not there."""
    id = JobId(request.number("id"))
    view = await request.front.broker.store.jobs.get(id)
    if view is None or not request.caller.may_see(view.owner):
        raise NotFound(f"there is no job {id}")
    return view
