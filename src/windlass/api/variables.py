"""Environment variables: what they are to say is set aside, and a job says it to every gear."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

import msgspec
import structlog
from litestar import Response, delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler

from windlass.api.answers import json_answer
from windlass.api.applications import MEMBER, application_of
from windlass.api.bodies import Body, T, body_of
from windlass.api.paging import short_page
from windlass.api.prefer import job_answer
from windlass.api.problems import Problem
from windlass.api.requests import Asked
from windlass.api.submitting import named, same_id, submit_on
from windlass.api.wire import Json
from windlass.broker import Broker
from windlass.engine.lease import JobId
from windlass.errors import Conflict, Denied, NotFound, Refused, Transient
from windlass.model.accounts import READ
from windlass.model.applications import Application
from windlass.model.ids import ChangeId, change_id
from windlass.model.variables import Change, Variable, check_change
from windlass.operations.variables import SetVariables

ALL = [
    f"{path}/{name}"
    for path in MEMBER
    for name in ("environment-variables", "environment_variables")
]
ONE = [
    f"{path}/{name}/{{variable:str}}"
    for path in MEMBER
    for name in (
        "environment-variables",
        "environment_variables",
        "environment-variable",
        "environment_variable",
    )
]
STALE = 3600.0  # seconds after which a change that no job knows is nobody's
LIST = "environment_variables"

log = structlog.get_logger()


def by_path(handler: HTTPRouteHandler, method: object, path: Sequence[object]) -> str:
    """What the schema calls an operation: one spelling's name would be the other's, too."""
    return "_".join((handler.handler_name, *(getattr(one, "name", str(one)) for one in path)))


class Item(Body, frozen=True):
    """A variable; one without a value goes."""

    name: str
    value: str | None = None


class Several(Body, frozen=True):
    """Variables that change together."""

    environment_variables: list[Item]


class Wish(Body, frozen=True):
    """One variable by its name, or several in a list."""

    name: str | None = None
    value: str | None = None
    environment_variables: list[Item] | None = None


class Value(Body, frozen=True):
    """What a variable is to say."""

    value: str


# -- verbs ---------------------------------------------------------------------------------


@get(ALL, operation_id=by_path)
async def list_variables(request: Asked) -> Response[bytes]:
    """The variables of an application, by name."""
    return short_page(request, [shown(one) for one in await variables_of(request)])


@get(ONE, operation_id=by_path)
async def show_variable(request: Asked) -> Response[bytes]:
    """A variable."""
    return json_answer(shown(await variable_of(request)))


@post(ALL, operation_id=by_path, opt={"body": Wish})
async def set_variables(request: Asked) -> Response[bytes] | Response[str]:
    """One variable, or several: a job."""
    wish = await read(request, Wish)
    if wish.environment_variables is None:
        return await begin(request, {wish.name or "": told(wish)})
    if wish.name is not None or wish.value is not None:
        raise Refused(f"say a name and its value, or {LIST}; not both", field=LIST, code=186)
    return await begin(request, several(wish.environment_variables))


@patch(ALL, operation_id=by_path, opt={"body": Several}, status_code=200)
async def change_variables(request: Asked) -> Response[bytes] | Response[str]:
    """Several variables at once: a job."""
    wish = await read(request, Several)
    return await begin(request, several(wish.environment_variables))


@put(ONE, operation_id=by_path, opt={"body": Value}, status_code=200)
async def set_variable(request: Asked) -> Response[bytes] | Response[str]:
    """Another value for a variable that there is: a job."""
    variable = await variable_of(request)
    return await begin(request, {variable.name: (await read(request, Value)).value})


@delete(ONE, operation_id=by_path, status_code=200)
async def unset_variable(request: Asked) -> Response[bytes] | Response[str]:
    """A variable is not there any more: a job."""
    return await begin(request, {(await variable_of(request)).name: None})


def shown(one: Variable) -> Json:
    """A variable as JSON."""
    return {"name": one.name, "value": one.value}


# -- what is there -------------------------------------------------------------------------


async def variables_of(request: Asked) -> list[Variable]:
    """The variables of the application that the path names."""
    application = await application_of(request)
    if request.caller.scope == READ:
        raise Denied("this token may not see variables, which may be secrets; use a full one")
    return await request.front.broker.store.variables.all(application.id)


async def variable_of(request: Asked) -> Variable:
    """The variable that the path names."""
    name = request.names("variable")
    for one in await variables_of(request):
        if one.name == name:
            return one
    raise NotFound(f"there is no variable {name[:64]}", code=188)


# -- what is wanted ------------------------------------------------------------------------


async def read(request: Asked, kind: type[T]) -> T:
    """The body; a refusal has the code of what is at fault."""
    try:
        return await body_of(request, kind)
    except Problem:
        raise
    except Refused as error:
        at = (error.field or "").rpartition(".")[2]
        code = {"name": 188, "value": 190}.get(at, 186)
        raise Refused(str(error), field=error.field, code=code) from None


def told(wish: Wish) -> str:
    """The value of the one variable that is set."""
    if wish.name is None:
        raise Refused(f"say a name and its value, or {LIST}", field="name", code=188)
    if wish.value is None:
        raise Refused(f"say what {wish.name[:64]} is to be", field="value", code=190)
    return wish.value


def several(items: list[Item]) -> Change:
    """The change that a list comes to."""
    change = {one.name: one.value for one in items}
    if len(change) < len(items):
        raise Refused("a variable is named twice", field=LIST, code=186)
    return change


# -- handing in ----------------------------------------------------------------------------


async def begin(request: Asked, change: Change) -> Response[bytes] | Response[str]:
    """Begin a change of an application's variables."""
    application = await application_of(request)
    if application.leaving is not None:
        raise Conflict(f"{application.name} is being deleted", job=application.leaving)
    check_change(change)
    # Shielded: a client that goes away leaves no job without its change.
    return await job_answer(request, await asyncio.shield(hand_in(request, application, change)))


async def hand_in(request: Asked, application: Application, change: Change) -> JobId:
    """Set the change aside, and make the job; never a job without it."""
    front, (owner, of) = request.front, (application.owner, application.id)
    id = ChangeId(same_id(request, "v", owner, of, digest(change)) or change_id())
    kept = front.broker.store.variables
    names = tuple(sorted(change))
    operation = SetVariables(application.domain, of, named(application), id, names)
    # One at a time: with an Idempotency-Key two requests may have the same change.
    async with front.placing:
        placed = await kept.set_aside(id, of, change)
        try:
            submitted = await submit_on(request, operation, application)
        except Transient:
            raise  # the job may be there after all; what no job knows is swept by and by
        except Exception:
            if placed:
                await kept.forget(id)
            raise
        if placed and not submitted.fresh:
            await kept.forget(id)  # that job has had its own already
        return submitted.job


def digest(change: Change) -> str:
    """What makes two changes the same."""
    return sha256(msgspec.json.encode(sorted(change.items()))).hexdigest()


async def sweep(broker: Broker) -> None:
    """Forget the changes whose jobs never came, or ended before they began."""
    wanted = {data["change"] for data in await broker.store.jobs.open(SetVariables.kind)}
    gone = await broker.store.variables.sweep(wanted, STALE)
    if gone:
        log.info("variables.swept", rows=gone)
