"""Verbs on domains."""

from litestar import Response, delete, get, post, put

from windlass.api import wire
from windlass.api.answers import json_answer, nothing
from windlass.api.bodies import Body, body_of
from windlass.api.paging import cut, limit_of, page
from windlass.api.prefer import job_answer
from windlass.api.requests import Asked
from windlass.api.submitting import submit
from windlass.errors import Conflict, NotFound, OverLimit, Refused, Taken
from windlass.model.applications import DOMAIN_NAME, Domain, check_domain_name
from windlass.model.ids import UserId
from windlass.operations.domains import RenameDomain


class NewDomain(Body, frozen=True):
    """What a domain is to be called."""

    name: str


MEMBER = ["/domains/{domain:str}", "/domain/{domain:str}"]


@get("/domains")
async def list_domains(request: Asked) -> Response[bytes]:
    """The domains that one may see, by name."""
    limit, front = limit_of(request), request.front
    after = request.query_params.get("after", "")
    found = await front.broker.store.domains.page(owner_of(request), plain(after), limit + 1)
    items, last = cut(found, limit)
    logins = await front.summary.logins({one.owner for one, _ in items})
    shown = [wire.domain(one, logins[one.owner], count, front.urls) for one, count in items]
    return page(request, shown, {"after": last[0].name} if last else None)


@post("/domains", opt={"body": NewDomain})
async def create_domain(request: Asked) -> Response[bytes]:
    """A new domain, at once."""
    wish = await body_of(request, NewDomain)
    front, user = request.front, request.caller.user
    try:
        made = await front.broker.store.domains.add(check_domain_name(wish.name), user)
    except OverLimit as error:  # OpenShift's status, which no other limit has
        raise Conflict(str(error), code=error.code) from None
    shown = wire.domain(made, user.login, 0, front.urls)
    return json_answer(shown, 201, {"Location": shown["url"]})


@get(MEMBER)
async def show_domain(request: Asked) -> Response[bytes]:
    """A domain."""
    domain, front = await domain_of(request), request.front
    logins = await front.summary.logins([domain.owner])
    count = await front.summary.applications(domain.id)
    return json_answer(wire.domain(domain, logins[domain.owner], count, front.urls))


@put(MEMBER, opt={"body": NewDomain}, status_code=200)
async def rename_domain(request: Asked) -> Response[bytes] | Response[str]:
    """Another name, for all that lives there: a job."""
    domain = await domain_of(request)
    name = check_domain_name((await body_of(request, NewDomain)).name)
    if name == domain.name:
        raise Refused(f"the domain is called {name} already", field="name", code=133)
    try:
        submitted = await submit(request, RenameDomain(domain.id, domain.name, name), domain)
    except Taken:
        raise Taken(f"somebody has the domain {name}", field="name", code=103) from None
    return await job_answer(request, submitted.job)


@delete(MEMBER, status_code=204)
async def delete_domain(request: Asked) -> Response[None]:
    """An empty domain is gone, at once."""
    await request.front.broker.store.domains.remove(await domain_of(request))
    return nothing()


async def domain_of(request: Asked) -> Domain:
    """The domain that the path names; what is somebody else's is not there."""
    name = request.names("domain")
    # Only what can be a name reaches the datastore: not every text can.
    store = request.front.broker.store
    found = await store.domains.find(name) if DOMAIN_NAME.fullmatch(name) else None
    if found is None or not request.caller.may_see(found.owner):
        raise NotFound(f"there is no domain {name[:64]}", code=127)
    return found


def owner_of(request: Asked) -> UserId | None:
    """Whose things to list: one's own, or for operators everybody's."""
    user = request.caller.user
    return None if user.admin else user.id


def plain(text: str) -> str:
    """The key of a page: names, and nothing that a datastore cannot take."""
    return "".join(one for one in text[:64] if one.isascii() and one.isprintable())
