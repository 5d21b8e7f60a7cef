"""The flusher: what all the jobs of a process write, in as few commits as it takes.

Flush at once, no timer: what arrives while a flush is under way shares the next one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from windlass.engine.journal import End, Event
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import LeaseLost, Transient
from windlass.store.database import Database
from windlass.store.hot import Entry, hot_of

FIRST, LONGEST = 0.05, 1.0  # seconds between tries while the datastore is away

log = structlog.get_logger()


@dataclass(slots=True)
class Waiting:
    """An entry and who waits for it: true once it is durable, false if it must be settled."""

    entry: Entry
    written: asyncio.Future[bool]

    def tell(self, written: bool) -> None:
        """It is durable, or must be settled; whoever was cut off does not hear it."""
        if not self.written.done():
            self.written.set_result(written)

    def fail(self, error: BaseException) -> None:
        """It cannot be written."""
        if not self.written.done():
            self.written.set_exception(error)


class Flusher:
    """Group commit for the events, and the plain ends, of a process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.hot = hot_of(database)
        self.waiting: list[Waiting] = []
        self.under_way: list[Waiting] = []
        self.passed = asyncio.Event()  # set, and replaced, after every group
        self.flushing: asyncio.Future[None] | None = None

    async def write(self, lease: Lease, events: Sequence[Event], end: End | None = None) -> bool:
        """Return when these are durable; LeaseLost if the worker was declared dead.

        False, and nothing was written, if the end must look around before it is written.
        """
        written = asyncio.get_running_loop().create_future()
        self.waiting.append(Waiting(Entry(lease, events, end), written))
        if self.flushing is None or self.flushing.done():
            self.flushing = asyncio.ensure_future(self.flush_all())
        return bool(await written)

    async def drain(self, lease: Lease) -> None:
        """Until nothing of this lease is on its way, as a run that was cut off may leave it."""
        while any(one.entry.lease == lease for one in (*self.under_way, *self.waiting)):
            await self.passed.wait()

    async def flush_all(self) -> None:
        """Group after group, until nothing waits."""
        most = self.hot.most
        while self.waiting:
            group, self.waiting = self.waiting[:most], self.waiting[most:]
            self.under_way = group
            for worker in {one.entry.lease.worker for one in group}:
                await self.flush(worker, [one for one in group if one.entry.lease.worker == worker])
            self.under_way = []
            self.passed.set()
            self.passed = asyncio.Event()

    async def flush(self, worker: WorkerId, group: list[Waiting]) -> None:
        """One commit, tried until its outcome is known; what spoils it stands alone in the end."""
        try:
            ended = await self.persist(worker, [one.entry for one in group])
        except LeaseLost as error:
            for one in group:
                one.fail(error)
        except Exception as error:
            if len(group) == 1:
                return group[0].fail(error)
            half = len(group) // 2
            await self.flush(worker, group[:half])
            await self.flush(worker, group[half:])
        else:
            for one in group:
                one.tell(one.entry.end is None or one.entry.lease.job in ended)

    async def persist(self, worker: WorkerId, group: list[Entry]) -> set[JobId]:
        """Try while the datastore is away; what was written after all is not written twice."""
        pause, again = FIRST, False
        while True:
            try:
                ended = await self.hot.flush(worker, group, again=again)
                self.database.ring()
                return ended
            except Transient as error:
                log.warning("datastore.away", why=str(error), waiting=len(group))
            await asyncio.sleep(pause)
            pause, again = min(2 * pause, LONGEST), True

    async def close(self) -> None:
        """Give up what cannot be written now; whoever takes the job over goes by what was."""
        if self.flushing is not None and not self.flushing.done():
            done, _ = await asyncio.wait({self.flushing}, timeout=5)
            if not done:
                self.flushing.cancel()
        await self.hot.close()
