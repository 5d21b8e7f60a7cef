"""Quotas: what users have of what they may have, counted from holds."""

from collections.abc import Collection

from sqlalchemy import delete, func, select

from windlass.engine.lease import JobId
from windlass.engine.operation import Hold
from windlass.model.ids import AppId, GearId, UserId
from windlass.store.access import Access
from windlass.store.holding import GEARS, hold, shares
from windlass.store.tables import holds


class Quotas:
    """Shares of gears, domains and storage."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def used(self, owner: UserId) -> dict[str, int]:
        """How much a user has of each kind."""
        amount = func.sum(holds.c.amount).label("amount")
        query = select(holds.c.kind, amount).where(holds.c.owner == owner).group_by(holds.c.kind)
        async with self.access.read() as connection:
            return {row.kind: int(row.amount) for row in await connection.execute(query)}

    async def gears(self, application: AppId) -> int:
        """The gears of an application: those there are, and those that jobs have reserved."""
        query = select(func.count()).where(holds.c.resource == application, holds.c.kind == GEARS)
        async with self.access.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def reserved(self, job: JobId) -> list[GearId]:
        """The ids of the gears that a job has reserved."""
        query = select(holds.c.key).where(holds.c.job == job, holds.c.kind == GEARS)
        async with self.access.read() as connection:
            keys = (await connection.execute(query.order_by(holds.c.key))).scalars()
            return [GearId(key.partition(":")[2]) for key in keys]

    async def take(self, job: JobId, wanted: Collection[Hold]) -> None:
        """A job holds these too, however often it is said; OverLimit if it cannot."""
        mine = holds.c.key.in_([one.key for one in wanted]) & (holds.c.job == job)
        async with self.access.write() as connection:
            await connection.execute(delete(holds).where(mine))
            await hold(connection, job, wanted)

    async def give_up(self, gears: Collection[GearId]) -> None:
        """These gears are nobody's share any more."""
        keys = [key for gear in gears for key in shares(gear)]
        async with self.access.write() as connection:
            await connection.execute(delete(holds).where(holds.c.key.in_(keys)))
