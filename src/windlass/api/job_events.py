"""What may happen to a job: its owner cancels and retries, operators help it along."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from litestar import Response, post

from windlass.api.answers import json_answer
from windlass.api.bodies import Body, body_of
from windlass.api.jobs import MEMBER, job_of
from windlass.api.prefer import job_answer, key_of
from windlass.api.requests import Asked
from windlass.broker import Broker
from windlass.engine.job import Phase, Request, clean
from windlass.engine.known import revive
from windlass.engine.operation import Operation
from windlass.engine.queue import Nudge
from windlass.engine.ringing import ring
from windlass.errors import Conflict, Denied, Refused
from windlass.model.ids import ReleaseId
from windlass.operations.releases import DeployRelease
from windlass.store.jobs import View

LONGEST_REASON = 500
OPERATORS = ("kick", "skip", "undo", "discard")

Answer = Response[bytes] | Response[str]


class JobEvent(Body, frozen=True):
    """What is to happen to a job."""

    event: str
    reason: str | None = None
    step: int | None = None


@post([path + "/events" for path in MEMBER], opt={"body": JobEvent})
async def job_event(request: Asked) -> Response[bytes] | Response[str]:
    """Cancel or retry a job; operators may kick, skip, undo and discard."""
    view = await job_of(request)
    wish = checked(await body_of(request, JobEvent))
    if wish.event in OPERATORS and not request.caller.user.admin:
        raise Denied(f"only operators may {wish.event} a job")
    act = ACTS.get(wish.event)
    if act is None:
        raise Refused(f"there is no event {wish.event[:64]!r}", field="event", code=126)
    return await act(request, view, wish)


def checked(wish: JobEvent) -> JobEvent:
    """The wish, or Refused with what is wrong with it."""
    if wish.reason is not None and len(wish.reason) > LONGEST_REASON:
        raise Refused(f"a reason has up to {LONGEST_REASON} characters", field="reason")
    if wish.event in OPERATORS and not (wish.reason or "").strip():
        raise Refused(f"to {wish.event} a job wants a reason", field="reason")
    if wish.event == "skip" and (wish.step is None or not 0 <= wish.step < 1 << 31):
        raise Refused("to skip wants the number of a step", field="step")
    return wish


async def cancel(request: Asked, view: View, wish: JobEvent) -> Answer:
    """Take the job back; to ask a second time changes nothing."""
    reason = clean(wish.reason) if wish.reason else None
    await request.front.broker.cancel(view.id, request.asker, reason)
    return json_answer(await request.front.job_now(view.id))


async def help_along(request: Asked, view: View, wish: JobEvent) -> Answer:
    """What an operator does to a buried job."""
    broker = request.front.broker
    await ring(broker.queue, await verb(request, view, wish))
    return json_answer(await request.front.job_now(view.id))


async def verb(request: Asked, view: View, wish: JobEvent) -> Sequence[Nudge]:
    """Have it written down, with the reason."""
    journal, reason = request.front.broker.journal, clean(wish.reason or "")
    if wish.event == "skip":
        return await journal.skip(view.id, request.asker, reason, wish.step or 0)
    if wish.event == "undo":
        return await journal.undo(view.id, request.asker, reason)
    if wish.event == "discard":
        return await journal.discard(view.id, request.asker, reason)
    return await journal.kick(view.id, request.asker, reason)


async def retry(request: Asked, view: View, _: JobEvent) -> Answer:
    """A new job of the same request."""
    if view.phase not in (Phase.FAILED, Phase.CANCELLED):
        raise Conflict(f"job {view.id} is {view.phase}; only what has failed can be tried again")
    operation: Operation[Broker] = revive(Operation, view.kind, view.version, view.data)
    key = key_of(request)
    if key is None and view.retried_by is not None:
        raise Conflict(f"job {view.id} was tried again already", job=view.retried_by)
    if isinstance(operation, DeployRelease):
        await check_source(request, operation.release)
    asking = Request(operation, view.owner, request.asker, view.subject, key=key, retry_of=view.id)
    return await job_answer(request, (await request.front.broker.submit(asking)).job)


async def check_source(request: Asked, release: ReleaseId) -> None:
    """What was uploaded goes with the deployment that fails."""
    if not await asyncio.to_thread(request.front.broker.archive(release).exists):
        raise Conflict("the uploaded source is not there any more; upload it again")


ACTS: dict[str, Callable[[Asked, View, JobEvent], Awaitable[Answer]]] = {
    "cancel": cancel,
    "retry": retry,
    **dict.fromkeys(OPERATORS, help_along),
}
