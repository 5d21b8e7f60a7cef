"""Routers: which of them live, and which version of the routes each has come to.

Whatever changes what routers must know raises the version in the same transaction. It is a row, not
a sequence: its lock lasts until the commit, so who sees a version sees all that it stands for.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from windlass.engine.lease import WorkerId
from windlass.engine.pulse import BEAT, Watch
from windlass.model.ids import RouterId
from windlass.store.access import Access
from windlass.store.bell import listening
from windlass.store.connection import Connection
from windlass.store.counters import ROUTES, count, times
from windlass.store.database import now
from windlass.store.tables import routers


async def raise_version(connection: Connection) -> None:
    """Routers have something new to read; late in a transaction, as others wait for the row."""
    await count(connection, ROUTES)


async def version_of(connection: Connection) -> int:
    """The routes' version."""
    return await times(connection, ROUTES)


@dataclass(frozen=True)
class Listed:
    """A router, its beats, and the version that it serves."""

    id: RouterId
    beat: int
    serves: int


class Routers:
    """The routers of a datastore."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def enter(self, id: RouterId, host: str, pid: int) -> None:
        """A router begins; it serves nothing yet, so that every switch waits for it."""
        row = insert(routers).values(id=id, host=host, pid=pid, since=now())
        async with self.access.write() as connection:
            await connection.execute(row)

    async def beat(self, id: RouterId, serves: int, *, quiet: bool) -> dict[RouterId, int]:
        """One more beat; everybody's counters, without this one's if it was taken for dead."""
        mine = update(routers).where(routers.c.id == id)
        async with self.access.database.write(quiet=quiet, lasting=False) as connection:
            await connection.execute(mine.values(beat=routers.c.beat + 1, serves=serves))
            rows = await connection.execute(select(routers.c.id, routers.c.beat))
            return {RouterId(row.id): row.beat for row in rows}

    async def strike(self, id: RouterId) -> None:
        """A router is gone: no switch waits for it."""
        async with self.access.write() as connection:
            await connection.execute(delete(routers).where(routers.c.id == id))

    async def all(self) -> list[Listed]:
        """Every router that has entered and was not struck off."""
        async with self.access.read() as connection:
            rows = await connection.execute(select(routers).order_by(routers.c.id))
            return [Listed(RouterId(row.id), row.beat, row.serves) for row in rows]

    async def version(self) -> int:
        """The version that a router gets to read now."""
        async with self.access.read() as connection:
            return await version_of(connection)

    async def caught_up(self, version: int) -> None:
        """Return when every living router serves this version or a later one."""
        watch = Standstill()
        async with listening(self.access.database) as bell:
            while late := [one for one in await self.all() if one.serves < version]:
                for id in watch.dead({one.id: one.beat for one in late}):
                    await self.strike(id)
                await bell.wait(BEAT)


class Standstill:
    """Which routers stand still, as a pulse judges workers."""

    def __init__(self) -> None:
        self.watch = Watch(WorkerId(""))  # whoever watches leaves himself out

    def dead(self, beats: Mapping[RouterId, int]) -> list[RouterId]:
        """Those whose beat has not moved for seconds, while we looked all the time."""
        seen = {WorkerId(id): beat for id, beat in beats.items()}
        return [RouterId(id) for id in self.watch.dead(seen, time.monotonic())]
