"""What an operator may do to a job that was set aside, each with a reason that is kept.

| verb    | a buried job that was going forward        | one that was being taken back         |
|---------|--------------------------------------------|---------------------------------------|
| kick    | goes on                                    | goes on being taken back              |
| skip    | counts the step as done, and goes on       | counts it as taken back, and goes on  |
| undo    | is taken back, before the point of no return | refused: that is what it is at      |
| discard | is closed as it is                         | is closed as it is                    |

To skip a one-way step passes the point of no return.
Any other job: refused, with what to do instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from windlass.engine.job import Asker, Phase, Trouble
from windlass.engine.journal import EventKind
from windlass.engine.lease import JobId
from windlass.engine.policy import Direction
from windlass.engine.queue import Nudge
from windlass.engine.record import Record, StepRow, StepState
from windlass.errors import Conflict, NotFound
from windlass.store import line
from windlass.store.claiming import histories
from windlass.store.connection import Connection
from windlass.store.database import now
from windlass.store.intents import NO_RETURN, abandon, promise, tell
from windlass.store.rows import dumps, scope_of
from windlass.store.tables import intents, jobs


@dataclass(frozen=True)
class Aside:
    """A buried job, locked, with what is told of it."""

    job: JobId
    record: Record


async def kick(connection: Connection, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
    """Send it round again, in its stored direction, with all its tries."""
    found = await buried(connection, job, "kick")
    await keep(connection, job, "kick", asker, reason)
    return await go_on(connection, found, asker, reason)


async def skip(
    connection: Connection, job: JobId, asker: Asker, reason: str, step: int
) -> list[Nudge]:
    """Count a step as done (or taken back) by hand, and go on."""
    found = await buried(connection, job, "skip")
    back = found.record.direction is Direction.UNDO
    rows = [row for row in found.record.steps if row.number == step]
    if not rows:
        raise NotFound(f"job {job} has no step {step}", field="step")
    row = rows[0]
    undone = row.state is StepState.UNDONE or not row.touched
    if undone if back else row.state in (StepState.DONE, StepState.SKIPPED):
        raise Conflict(f"step {step} of job {job} is {row.state} already", field="step")
    if row.one_way and not found.record.no_return:
        await pass_no_return(connection, found, row)
    await keep(connection, job, "skip", asker, reason)
    await tell(connection, job, EventKind.SKIPPED, step=step, undo=back, by=asker.login)
    return await go_on(connection, found, asker, reason)


async def pass_no_return(connection: Connection, found: Aside, row: StepRow) -> None:
    """A one-way step that was done by hand is as final as one that has begun."""
    if not await promise(connection, found.job, NO_RETURN):
        raise Conflict(
            f"job {found.job} was cancelled, and {row.title} leaves no way back; kick or undo it"
        )
    await tell(connection, found.job, EventKind.BEGUN, step=row.number)


async def undo(connection: Connection, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
    """Take back what it has done."""
    found = await buried(connection, job, "undo")
    if found.record.no_return:
        raise Conflict(f"job {job} is past the point of no return; kick, skip or discard it")
    if found.record.direction is Direction.UNDO:
        raise Conflict(f"job {job} is being taken back already; kick, skip or discard it")
    await keep(connection, job, "undo", asker, reason)
    trouble = Trouble("Undone", reason or f"taken back by {asker.login}")
    await tell(connection, job, EventKind.TURNED, trouble=trouble.data(), cancelled=True)
    found.record.direction = Direction.UNDO
    return await go_on(connection, found, asker, reason)


async def discard(connection: Connection, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
    """Close it as it is; what it has made keeps its holds, until it is deleted."""
    roots = await aside(connection, job, "discard")  # even where it cannot be read
    await keep(connection, job, "discard", asker, reason)
    await tell(connection, job, EventKind.ENDED, phase=Phase.DISCARDED, by=asker.login)
    await connection.execute(
        update(jobs)
        .where(jobs.c.id == job)
        .values(phase=Phase.DISCARDED, claimable=False, ended=now())
    )
    await abandon(connection, job)
    await line.leave(connection, job)
    return await line.advance(connection, roots)


async def buried(connection: Connection, job: JobId, verb: str) -> Aside:
    """The job with what is told of it; Conflict unless it was set aside and can be read."""
    await aside(connection, job, verb)
    told = (await histories(connection, [job])).get(job, ())
    try:
        return Aside(job, Record.of(told))
    except Exception as error:  # whatever it is that another version has written there
        raise Conflict(
            f"what is told of job {job} cannot be read here; it can be discarded", job=job
        ) from error


async def aside(connection: Connection, job: JobId, verb: str) -> Sequence[str]:
    """Lock the job with its line, whose roots these are; Conflict unless it was set aside."""
    query = select(jobs.c.scope, jobs.c.phase).where(jobs.c.id == job)
    row = (await connection.execute(query)).first()
    if row is None:
        raise NotFound(f"there is no job {job}")
    roots = scope_of(row.scope).roots()
    await line.lock(connection, roots)
    row = (await connection.execute(query.with_for_update())).one()
    if row.phase != Phase.BURIED:
        raise Conflict(f"job {job} is {row.phase}; {verb} is for buried jobs", job=job)
    return roots


async def go_on(connection: Connection, found: Aside, asker: Asker, reason: str) -> list[Nudge]:
    """The job is in progress again, and the next free worker's."""
    await tell(connection, found.job, EventKind.KICKED, by=asker.login, reason=reason)
    undoing = found.record.direction is Direction.UNDO
    done = await connection.execute(
        update(jobs)
        .where(jobs.c.id == found.job)
        .values(
            phase=Phase.UNDOING if undoing else Phase.RETRYING,
            claimable=True,
            crashes=0,
            ended=None,
            history=None,
            trouble=None,
        )
        .returning(jobs.c.tube, jobs.c.priority)
    )
    row = done.one()
    return [Nudge(row.tube, found.job, row.priority)]


async def keep(connection: Connection, job: JobId, verb: str, asker: Asker, reason: str) -> None:
    """Who did it, and why."""
    await connection.execute(
        insert(intents).values(
            job=job, kind=verb, asker=dumps(vars(asker)), reason=reason, at=now()
        )
    )
