"""The datastore as its own queue: the jobs table is the line, the bell says when to look."""

from collections.abc import Collection, Mapping

from sqlalchemy import literal, select

from windlass.engine.queue import Nudge
from windlass.store.bell import Bell
from windlass.store.database import Database


class DatastoreQueue:
    """`datastore:`, the default; a nudge names no job, the claim finds the next by itself."""

    def __init__(self, url: str, database: Database) -> None:
        self.database = database
        self.bell: Bell | None = None

    async def put(self, nudges: Collection[Nudge]) -> None:
        """Ring for workers, here and elsewhere."""
        self.database.ring(ready=True, spoken=all(nudge.spoken for nudge in nudges))

    async def reserve(self, tubes: Mapping[str, int], patience: float) -> Nudge | None:
        """A nudge to look, when something was written; None after `patience` seconds."""
        if self.bell is None:
            self.bell = Bell(self.database)
            self.database.hailed.add(self.bell.here)
        if await self.bell.wait(patience):
            return Nudge(next(iter(tubes)))
        return None

    async def delete(self, nudge: Nudge) -> None:
        """Nothing: the claim has taken the job out of the line."""

    async def check(self) -> None:
        """Whether the datastore answers."""
        async with self.database.read() as connection:
            await connection.execute(select(literal(1)))

    async def close(self) -> None:
        """Listen no more."""
        if self.bell is not None:
            self.database.hailed.discard(self.bell.here)
