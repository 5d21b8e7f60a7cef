"""The bell: something was written, here or in another process; look again."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from windlass.store.database import Database
from windlass.store.sqlite import Sqlite

GLANCE = 0.01  # seconds between looks at SQLite's data version: a read of one page
KEEN = 0.003  # seconds between looks after a change: where one comes, others follow
ALERT = 0.25  # seconds for which a change keeps us so
DOZE = 0.25  # seconds between looks while a server cannot tell us


class Bell:
    """Rings for one listener: at once for writes of this process, soon for those of others."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.here = asyncio.Event()
        self.version = self.glance()
        self.soon: asyncio.TimerHandle | None = None
        self.keen_until = 0.0  # by the loop's clock
        if database.notifier is not None:
            database.notifier.start()

    def glance(self) -> int | None:
        """SQLite's number that changes when somebody else has written; None while we do."""
        inner = self.database.inner
        return inner.data_version() if isinstance(inner, Sqlite) else None

    async def wait(self, patience: float) -> bool:
        """Until something may have changed (true), or `patience` seconds are over."""
        notifier = self.database.notifier
        if notifier is not None and not notifier.connected:
            await self.rung(min(DOZE, patience))
            return True
        self.look_soon()
        try:
            return await self.rung(patience)
        finally:
            self.look_no_more()

    def look_no_more(self) -> None:
        """Nobody waits."""
        if self.soon is not None:
            self.soon.cancel()

    def look_soon(self) -> None:
        """On SQLite nobody tells us what another process writes."""
        self.look_no_more()
        if self.database.notifier is None:
            loop = asyncio.get_running_loop()
            pause = KEEN if loop.time() < self.keen_until else GLANCE
            self.soon = loop.call_later(pause, self.look)

    def look(self) -> None:
        """Ring if somebody else has written; no task wakes up for less."""
        try:
            version = self.glance()
        except sqlite3.Error:
            return self.here.set()  # who looks himself meets the trouble where it is handled
        if version is None or version == self.version:
            return self.look_soon()
        self.version = version
        self.keen_until = asyncio.get_running_loop().time() + ALERT
        self.here.set()

    async def rung(self, patience: float) -> bool:
        """Whether this process writes something within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self.here.wait()
        except TimeoutError:
            return False
        self.here.clear()
        return True


@asynccontextmanager
async def listening(database: Database) -> AsyncIterator[Bell]:
    """A bell, for as long as one listens."""
    bell = Bell(database)
    database.rung.add(bell.here)
    try:
        yield bell
    finally:
        database.rung.discard(bell.here)
