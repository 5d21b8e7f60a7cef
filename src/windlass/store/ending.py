"""Settling: how a run ended, who has its holds now, and who may run next."""

from typing import Any

import msgspec
from sqlalchemy import delete, select, update

from windlass.engine.job import Phase
from windlass.engine.journal import End
from windlass.engine.lease import Lease
from windlass.engine.queue import Nudge
from windlass.errors import LeaseLost
from windlass.store import counters, line
from windlass.store.connection import Connection
from windlass.store.database import now
from windlass.store.intents import cancelled
from windlass.store.rows import dumps, scope_of
from windlass.store.tables import holds, jobs

FOR_GOOD = (Phase.COMPLETE, Phase.FAILED, Phase.CANCELLED)


async def settle(connection: Connection, lease: Lease, end: End) -> list[Nudge] | None:
    """Write a run's end; None, and nothing is written, if it was cancelled before the end."""
    row = await held(connection, lease)
    scope = scope_of(row.scope)
    await line.lock(connection, scope.roots())
    row = await held(connection, lease, lock=True)
    if end.phase is Phase.COMPLETE and await cancelled(connection, [lease.job]):
        return None
    if end.phase is Phase.RETRYING and end.due and await cancelled(connection, [lease.job]):
        end = msgspec.structs.replace(end, due=0.0)  # a wait ends at once
    await connection.execute(update(jobs).where(jobs.c.id == lease.job).values(**written(row, end)))
    if end.phase is Phase.BURIED:
        await counters.count(connection, counters.BURIED, row.kind)
    if end.phase not in FOR_GOOD:
        return [Nudge(row.tube, lease.job, row.priority)] if end.due == 0 else []
    await hand_over(connection, lease, end)
    await line.leave(connection, lease.job)
    return await line.advance(connection, scope.roots())


async def held(connection: Connection, lease: Lease, *, lock: bool = False) -> Any:
    """The job's row; LeaseLost if somebody else holds it by now."""
    query = select(jobs.c.kind, jobs.c.tube, jobs.c.priority, jobs.c.scope, jobs.c.crashes).where(
        jobs.c.id == lease.job, jobs.c.lease == lease.number, jobs.c.worker == lease.worker
    )
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise LeaseLost(f"job {lease.job} is not held under lease {lease.number} any more")
    return row


def written(row: Any, end: End) -> dict[str, Any]:
    """The columns that a run's end sets."""
    values: dict[str, Any] = {
        "phase": end.phase,
        "worker": None,
        "claimable": end.due == 0,
        "percent": end.percent,
        "trouble": dumps(end.trouble.data()) if end.trouble else None,
        "crashes": row.crashes if end.crashed else 0,
    }
    if end.due is not None:
        values["due"] = now() + end.due if end.due > 0 else None
    else:
        values |= {"ended": now(), "history": dumps(list(end.history))}
    return values


async def hand_over(connection: Connection, lease: Lease, end: End) -> None:
    """Completing hands the holds to their resources; failing gives them up, rows and all."""
    mine = holds.c.job == lease.job
    if end.phase is Phase.COMPLETE:
        await connection.execute(update(holds).where(mine).values(job=None))
    else:
        await connection.execute(delete(holds).where(mine))
