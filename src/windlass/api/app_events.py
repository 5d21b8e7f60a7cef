"""What happens to an application as an event: OpenShift's way to say most verbs."""

from litestar import Response, post

from windlass.api.aliases import add, remove
from windlass.api.applications import MEMBER, application_of
from windlass.api.bodies import Body, body_of
from windlass.api.prefer import job_answer
from windlass.api.requests import Asked
from windlass.api.submitting import named, submit_on
from windlass.broker import Broker
from windlass.engine.operation import Operation
from windlass.errors import Refused
from windlass.model.applications import Application
from windlass.operations.actions import DumpThreads, ForceStop, ReloadApplication, TidyApplication
from windlass.operations.lifecycle import RestartApplication, StartApplication, StopApplication
from windlass.operations.scaling import ScaleApplication

SCALING = {"scale-up": 1, "scale-down": -1}  # and the way that `by` counts
EVENTS = {
    "start": StartApplication,
    "stop": StopApplication,
    "restart": RestartApplication,
    "reload": ReloadApplication,
    "force-stop": ForceStop,
    "tidy": TidyApplication,
    "thread-dump": DumpThreads,
}
ALIASES = {"add-alias": add, "remove-alias": remove}


class Event(Body, frozen=True):
    """What is to happen to an application; how far, where it is to scale; which alias."""

    event: str
    by: int | None = None
    to: int | None = None
    alias: str | None = None


@post([path + "/events" for path in MEMBER], opt={"body": Event})
async def application_event(request: Asked) -> Response[bytes] | Response[str]:
    """Start, stop, restart, scale and the like: a job."""
    application = await application_of(request)
    wish = await body_of(request, Event)
    if wish.event in ALIASES:
        job = await ALIASES[wish.event](request, application, wish.alias)
        return await job_answer(request, job)
    operation = operation_of(application, wish)
    submitted = await submit_on(request, operation, application)
    return await job_answer(request, submitted.job)


def operation_of(application: Application, wish: Event) -> Operation[Broker]:
    """What an event comes to; Refused if there is none such."""
    on = (application.domain, application.id, named(application))
    if wish.event in SCALING:
        if wish.by == 0:
            raise Refused("by is a number of gears other than 0", field="by", code=168)
        by = SCALING[wish.event] * (1 if wish.by is None else wish.by)
        return ScaleApplication(*on, to=wish.to, by=by)
    if wish.event not in EVENTS:
        there = f"an event is {', '.join([*EVENTS, *SCALING, *ALIASES])}, not {wish.event[:64]!r}"
        raise Refused(there, field="event", code=126)
    for field in ("by", "to"):
        if getattr(wish, field) is not None:
            raise Refused(f"only {' and '.join(SCALING)} take {field!r}", field=field)
    return EVENTS[wish.event](*on)
