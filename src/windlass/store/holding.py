"""Holds: what a job, or a resource, has reserved of names and of quotas."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.engine.lease import JobId
from windlass.engine.operation import Hold
from windlass.errors import OverLimit, Taken
from windlass.model.ids import GearId
from windlass.store import line
from windlass.store.connection import Connection
from windlass.store.prepared import Prepared
from windlass.store.tables import holds, jobs

HOLD = Prepared(
    upsert(holds).on_conflict_do_nothing(index_elements=[holds.c.key]).returning(holds.c.key)
)
GEARS, STORAGE = "gears", "storage"  # kinds of holds; their keys say which gear's they are


def shares(gear: GearId) -> list[str]:
    """The keys of the holds that a gear has."""
    return [f"{kind}:{gear}" for kind in (GEARS, STORAGE)]


async def hold(connection: Connection, job: JobId | None, wanted: Collection[Hold]) -> None:
    """Write down what a job holds; Taken or OverLimit if it cannot have it.

    Without a job it is the resources' at once.
    """
    if wanted and job is not None:
        mine = update(jobs).where(jobs.c.id == job)
        await connection.execute(mine.values(awaited=True))  # its end must look after them
    await check_limits(connection, wanted)
    for one in sorted(wanted, key=lambda hold: hold.key):
        row = {
            "key": one.key,
            "resource": one.resource,
            "kind": one.kind,
            "owner": one.owner,
            "amount": one.amount,
            "job": job,
        }
        if not await connection.fetch(HOLD, row):
            raise Taken(f"{one.key.partition(':')[2]} is taken already")


async def check_limits(connection: Connection, wanted: Collection[Hold]) -> None:
    """OverLimit if an owner would have more than he may; under the lock of his quota."""
    together: dict[tuple[str | None, str], list[Hold]] = defaultdict(list)
    for one in wanted:
        if one.limit is not None:
            together[one.owner, one.kind].append(one)
    if not together:
        return
    await line.lock(connection, {f"quota:{owner}" for owner, _ in together})
    for (owner, kind), shares in together.items():
        used = await connection.execute(
            select(func.coalesce(func.sum(holds.c.amount), 0)).where(
                holds.c.owner == owner, holds.c.kind == kind
            )
        )
        check_limit(used.scalar_one(), shares)


def check_limit(have: int, shares: Collection[Hold]) -> None:
    """OverLimit, with the numbers, if these shares do not fit beside what there is."""
    more = sum(one.amount for one in shares)
    for one in shares:
        if have + more > (one.limit or 0):
            raise OverLimit(
                f"{have} of {one.limit} {one.words} are used, and this would take {more} more",
                code=one.code,
            )
