"""Claiming: ready jobs become a worker's; what has been written of them comes along."""

import json
from collections.abc import Collection

from sqlalchemy import select

from windlass.engine.journal import Claimed, Event
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.store.connection import Connection
from windlass.store.hot import Row
from windlass.store.rows import event_of
from windlass.store.tables import events


def claimed(row: Row, worker: WorkerId, told: list[Event], *, stopped: bool) -> Claimed:
    """A job as its new holder gets it."""
    id, kind, version, data, lease, crashes = row
    return Claimed(
        lease=Lease(worker, JobId(id), lease),
        kind=kind,
        version=version,
        data=json.loads(data),
        crashes=crashes,
        events=told,
        cancelled=stopped,
    )


async def histories(connection: Connection, of: Collection[JobId]) -> dict[JobId, list[Event]]:
    """Every event of these jobs, in order."""
    rows = await connection.execute(
        select(events).where(events.c.job.in_(of)).order_by(events.c.job, events.c.number)
    )
    found: dict[JobId, list[Event]] = {}
    for row in rows:
        found.setdefault(JobId(row.job), []).append(event_of(row))
    return found
