"""Wishes about a job: rows beside it, never updates under its runner's feet."""

import time
from collections.abc import Collection

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.engine.job import QUEUED, Asker, Phase, Trouble
from windlass.engine.journal import Event, EventKind
from windlass.engine.lease import JobId
from windlass.engine.queue import Nudge
from windlass.engine.scope import Scope, within
from windlass.model.applications import UNDER_WAY, AppState
from windlass.store.connection import Connection
from windlass.store.database import now
from windlass.store.delays import standing_by
from windlass.store.line import Placed, advance, await_them, leave
from windlass.store.rows import EventsRow, dumps
from windlass.store.tables import applications, events, holds, intents, jobs

CANCEL = "cancel"
NO_RETURN = "no-return"
NOBODY = Asker("windlass")


async def promise(
    connection: Connection, job: JobId, kind: str, asker: Asker = NOBODY, reason: str | None = None
) -> bool:
    """Record a cancel, or that there is no way back: whichever comes first, never both.

    True if this kind is what stands there now.
    """
    row = upsert(intents).values(
        job=job, kind=kind, asker=dumps(vars(asker)), reason=reason, at=now()
    )
    await connection.execute(row.on_conflict_do_nothing())
    stands = await connection.execute(
        select(intents.c.kind).where(intents.c.job == job, intents.c.kind.in_([CANCEL, NO_RETURN]))
    )
    return bool(stands.scalar_one() == kind)


async def cancelled(connection: Connection, of: Collection[JobId]) -> set[JobId]:
    """Which of these jobs are to be taken back."""
    rows = await connection.execute(
        select(intents.c.job).where(intents.c.job.in_(list(of)), intents.c.kind == CANCEL)
    )
    return {JobId(job) for job in rows.scalars()}


async def supersede(
    connection: Connection, by: JobId, scope: Scope, before: Collection[Placed]
) -> list[Nudge]:
    """A final job closes what is queued or buried below it, and asks what runs to stop."""
    others = [*before, *await standing_by(connection, scope.roots())]
    below = [one for one in others if one.job != by and within(scope.exclusive, one.scope)]
    trouble = Trouble("Superseded", f"superseded by job {by}")
    nudges: list[Nudge] = []
    for one in sorted(below, key=lambda placed: placed.job):
        nudges += await make_way(connection, one, trouble)
    # Those that were closed may have stood in other lines too.
    lines = {*scope.roots(), *(root for one in below for root in one.scope.roots())}
    return nudges + await advance(connection, lines)


async def make_way(connection: Connection, one: Placed, trouble: Trouble) -> list[Nudge]:
    """Whatever a job is at, it is to end."""
    if one.final and one.phase not in (Phase.BURIED, Phase.DELAYED):
        return []  # it takes away what we want away; we come after it
    phase = await locked_phase(connection, one.job)  # a worker may have claimed it just now
    if phase in QUEUED:
        await close(connection, one.job, Phase.CANCELLED, trouble)
    elif phase is Phase.BURIED:  # what it has made is the final job's to take away
        await abandon(connection, one.job)
        await close(connection, one.job, Phase.FAILED, trouble)
    elif not phase.ended:
        await await_them(connection, [one.job])
        await promise(connection, one.job, CANCEL, reason=trouble.text)
        return await hurry(connection, one.job)
    return []


async def locked_phase(connection: Connection, job: JobId) -> Phase:
    """Where a job is, and stays until we commit."""
    query = select(jobs.c.phase).where(jobs.c.id == job).with_for_update()
    return Phase((await connection.execute(query)).scalar_one())


async def hurry(connection: Connection, job: JobId) -> list[Nudge]:
    """A job that waits for its next try waits no longer."""
    hurried = await connection.execute(
        update(jobs)
        .where(jobs.c.id == job, jobs.c.due.is_not(None), jobs.c.worker.is_(None))
        .values(claimable=True, due=None)
        .returning(jobs.c.tube, jobs.c.priority)
    )
    return [Nudge(row.tube, job, row.priority) for row in hurried]


async def close(connection: Connection, job: JobId, phase: Phase, trouble: Trouble) -> None:
    """End a job that nobody holds; it loses its holds and its place in line."""
    await tell(connection, job, EventKind.ENDED, phase=phase, trouble=trouble.data())
    await connection.execute(
        update(jobs)
        .where(jobs.c.id == job)
        .values(
            phase=phase,
            claimable=False,
            due=None,
            ended=now(),
            trouble=dumps(trouble.data()),
        )
    )
    await connection.execute(holds.delete().where(holds.c.job == job))
    await leave(connection, job)


async def abandon(connection: Connection, job: JobId) -> None:
    """Nobody goes on with a job: its holds are its resources', and what it was at is half done."""
    await connection.execute(update(holds).where(holds.c.job == job).values(job=None))
    application = select(jobs.c.application).where(jobs.c.id == job).scalar_subquery()
    await connection.execute(
        update(applications)
        .where(applications.c.id == application, applications.c.state.in_(UNDER_WAY))
        .values(state=AppState.BROKEN)
    )


async def tell(
    connection: Connection, job: JobId, kind: EventKind, step: int | None = None, **detail: object
) -> None:
    """An event of a job that nobody holds; its row is locked by the caller."""
    newest = select(func.coalesce(func.max(events.c.number), 0)).where(events.c.job == job)
    number = (await connection.execute(newest)).scalar_one() + 1
    event = Event(number, kind, step, time.time(), detail)
    await connection.execute(insert(events).values(EventsRow.of(job, 0, [event]).values()))
