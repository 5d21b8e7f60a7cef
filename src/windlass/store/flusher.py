"""The flusher: what all the jobs of a process write, in as few commits as it takes.

Flush at once, no timer: what arrives while a flush is under way shares the next one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.engine.journal import Event
from windlass.engine.lease import Lease, WorkerId
from windlass.errors import LeaseLost, Transient
from windlass.store.database import Database
from windlass.store.rows import event_row
from windlass.store.tables import events

MOST = 2000  # events of one flush
FIRST, LONGEST = 0.05, 1.0  # seconds between tries while the datastore is away

INSERT = upsert(events).on_conflict_do_nothing()  # a commit of unknown outcome is sent again

log = structlog.get_logger()


@dataclass
class Entry:
    """What one job waits for."""

    lease: Lease
    events: Sequence[Event]
    written: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Flusher:
    """Group commit for the events of a process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.waiting: list[Entry] = []
        self.flushing: asyncio.Future[None] | None = None

    async def write(self, lease: Lease, events: Sequence[Event]) -> None:
        """Return when these are durable; LeaseLost if the worker was declared dead."""
        entry = Entry(lease, events)
        self.waiting.append(entry)
        if self.flushing is None or self.flushing.done():
            self.flushing = asyncio.ensure_future(self.flush_all())
        await asyncio.shield(entry.written)

    async def flush_all(self) -> None:
        """Group after group, until nothing waits."""
        while self.waiting:
            group = self.take()
            for worker in {entry.lease.worker for entry in group}:
                await self.flush(worker, [one for one in group if one.lease.worker == worker])

    def take(self) -> list[Entry]:
        """The next group."""
        group, size = [], 0
        while self.waiting and size < MOST:
            entry = self.waiting.pop(0)
            group.append(entry)
            size += len(entry.events)
        return group

    async def flush(self, worker: WorkerId, group: list[Entry]) -> None:
        """One commit, tried until its outcome is known."""
        error: BaseException | None = None
        try:
            await self.persist(worker, group)
        except Exception as raised:
            error = raised
        for entry in group:
            if entry.written.done():
                continue
            if error is None:
                entry.written.set_result(None)
            else:
                entry.written.set_exception(error)

    async def persist(self, worker: WorkerId, group: list[Entry]) -> None:
        """Try while the datastore is away."""
        pause = FIRST
        rows = [event_row(event) for entry in group for event in entry.events]
        while True:
            try:
                async with self.database.write(worker) as connection:
                    if rows:
                        await connection.execute(INSERT, rows)
                return
            except LeaseLost:
                raise
            except Transient as error:
                log.warning("datastore.away", why=str(error), waiting=len(rows))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def close(self) -> None:
        """Give up what cannot be written now; whoever takes the job over goes by what was."""
        if self.flushing is not None and not self.flushing.done():
            done, _ = await asyncio.wait({self.flushing}, timeout=5)
            if not done:
                self.flushing.cancel()
