"""Claiming: ready jobs become a worker's; what has been written of them comes along."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, func, select, update

from windlass.engine.job import Phase
from windlass.engine.journal import Claimed, Event
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.engine.policy import Direction
from windlass.engine.record import Record
from windlass.store.connection import Connection
from windlass.store.database import now
from windlass.store.intents import cancelled
from windlass.store.rows import event_of
from windlass.store.tables import events, jobs

COLUMNS = (jobs.c.id, jobs.c.kind, jobs.c.version, jobs.c.data)
COUNTS = (jobs.c.lease, jobs.c.crashes, jobs.c.seen)

TAKE = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .values(
        lease=bindparam("number"),
        worker=bindparam("holder"),
        phase=bindparam("as_phase"),
        crashes=bindparam("stumbles"),
        seen=bindparam("newest"),
        claimable=False,
        due=None,
        started=func.coalesce(jobs.c.started, now()),
    )
)


async def claim(
    connection: Connection, worker: WorkerId, tubes: Collection[str], room: int, job: JobId | None
) -> list[Claimed]:
    """Up to `room` ready jobs, in the order of priority and turn, or just one if it is ready."""
    rows = await pick(connection, tubes, room, job)
    if not rows:
        return []
    again = [JobId(row.id) for row in rows if row.lease]
    told = await histories(connection, again) if again else {}
    stopped = await cancelled(connection, again) if again else set()
    found = [claimed(row, worker, told.get(JobId(row.id), [])) for row in rows]
    await connection.execute(TAKE, [taking(one) for one in found])
    return [replace(one, cancelled=one.lease.job in stopped) for one in found]


async def pick(
    connection: Connection, tubes: Collection[str], room: int, job: JobId | None
) -> Sequence[Any]:
    """The rows of the next ready jobs, locked; those that others are claiming are left out."""
    ready = select(*COLUMNS, *COUNTS).where(jobs.c.claimable)
    if job is not None:
        ready = ready.where(jobs.c.id == job)
    else:
        tube = jobs.c.tube == next(iter(tubes)) if len(tubes) == 1 else jobs.c.tube.in_(tubes)
        ready = ready.where(tube).order_by(jobs.c.priority, jobs.c.turn, jobs.c.id).limit(room)
    return (await connection.execute(ready.with_for_update(skip_locked=True))).all()


async def histories(connection: Connection, of: Collection[JobId]) -> dict[JobId, list[Event]]:
    """Every event of these jobs, in order."""
    rows = await connection.execute(
        select(events).where(events.c.job.in_(of)).order_by(events.c.job, events.c.number)
    )
    found: dict[JobId, list[Event]] = {}
    for row in rows:
        found.setdefault(JobId(row.job), []).append(event_of(row))
    return found


def claimed(row: Any, worker: WorkerId, told: list[Event]) -> Claimed:
    """A job as its new holder gets it; a claim that followed no event counts as a crash."""
    newest = told[-1].number if told else 0
    return Claimed(
        lease=Lease(worker, JobId(row.id), row.lease + 1),
        kind=row.kind,
        version=row.version,
        data=json.loads(row.data),
        crashes=1 if newest > row.seen else row.crashes + 1,
        events=told,
    )


def taking(one: Claimed) -> dict[str, Any]:
    """What is written of a claim."""
    undoing = bool(one.events) and Record.of(one.events).direction is Direction.UNDO
    return {
        "job": one.lease.job,
        "number": one.lease.number,
        "holder": one.lease.worker,
        "as_phase": Phase.UNDOING if undoing else Phase.RUNNING,
        "stumbles": one.crashes,
        "newest": one.events[-1].number if one.events else 0,
    }
