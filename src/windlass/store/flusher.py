"""The flusher: what all the jobs of a process write, in as few commits as it takes.

Flush at once, no timer: what arrives while flushes are under way shares the next one. Where the
datastore can, two go side by side, each with half of the jobs: while it writes some, the others
run (docs/decisions/0013).
"""

import asyncio
import contextlib
from collections.abc import Collection, Sequence

import structlog

from windlass.engine.journal import End, Event
from windlass.engine.lease import Lease, WorkerId
from windlass.errors import LeaseLost, Transient
from windlass.store.database import Database
from windlass.store.hot import Entry, Flushed, hot_of

FIRST, LONGEST = 0.05, 1.0  # seconds between tries while the datastore is away
PATIENCE = 5.0  # seconds of a process that leaves, for what it has not written
MANY = 25  # entries that are worth a flush of their own beside another

log = structlog.get_logger()


class Waiting(Entry, kw_only=True):
    """An entry that somebody waits for: true once it is durable, false if it must be settled."""

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
        self.unsure: set[Lease] = set()  # whose claims may not be on the disk
        self.waiting: list[Waiting] = []
        self.under_way: list[list[Waiting]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.passed = asyncio.Event()  # set, and replaced, after every group
        self.beginning = False  # a lane, in the next turn of the loop

    def write(
        self, lease: Lease, events: Sequence[Event], end: End | None = None
    ) -> asyncio.Future[bool]:
        """True when these are durable; LeaseLost if the worker was declared dead or the claim lost.

        False, and nothing was written, if the end must look around before it is written.
        """
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if events or end is not None:
            unsure = lease in self.unsure
            self.waiting.append(Waiting(lease, events, end, unsure, written=written))
            self.begin()
        else:
            written.set_result(True)
        return written

    async def drain(self, lease: Lease) -> None:
        """Until nothing of this lease is on its way, as a run that was cut off may leave it."""
        while any(one.lease == lease for one in self.on_its_way()):
            await self.passed.wait()

    def on_its_way(self) -> list[Waiting]:
        """All that is not written yet."""
        return [one for group in (*self.under_way, self.waiting) for one in group]

    def begin(self) -> None:
        """One more lane, if there may be one and it is worth it.

        It takes its first group in the next turn of the loop: whatever is written in this one.
        """
        if self.beginning or len(self.under_way) == self.hot.lanes or not self.worth_it:
            return
        self.beginning = True
        task = asyncio.ensure_future(self.flush_all())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    @property
    def worth_it(self) -> bool:
        """Whether enough waits for a flush, alone or beside another."""
        return len(self.waiting) >= (MANY if self.under_way else 1)

    async def flush_all(self) -> None:
        """Group after group; the next is on its way before those of one go on."""
        self.beginning = False
        while group := self.take():
            self.begin()
            await self.flush_group(group)

    async def flush_group(self, group: list[Waiting]) -> None:
        """What each worker of this process wants written."""
        try:
            for worker in {one.lease.worker for one in group}:
                await self.flush(worker, [one for one in group if one.lease.worker == worker])
        finally:
            self.under_way.remove(group)
            self.passed.set()
            self.passed = asyncio.Event()

    def take(self) -> list[Waiting]:
        """The next group: its share of all that is not written, the longest waiting first.

        What a job writes goes one after the other: the next holder must find no gap.
        """
        if not self.worth_it:
            return []
        busy = {one.lease.job for group in self.under_way for one in group}
        share = -(-(len(self.waiting) + len(busy)) // self.hot.lanes)
        if len(self.waiting) - share < MANY:
            share = len(self.waiting)
        room = min(share, self.hot.most)
        group: list[Waiting] = []
        rest: list[Waiting] = []
        for one in self.waiting:
            chosen = group if len(group) < room and one.lease.job not in busy else rest
            chosen.append(one)
        self.waiting = rest
        if group:
            self.under_way.append(group)
        return group

    async def flush(self, worker: WorkerId, group: list[Waiting]) -> None:
        """One commit, tried until its outcome is known; what spoils it stands alone in the end."""
        try:
            flushed = await self.persist(worker, group)
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
                self.passed_on(one, flushed)

    def passed_on(self, one: Waiting, flushed: Flushed) -> None:
        """What came of an entry, to whoever waits for it."""
        if one.lease in flushed.lost:
            job = one.lease.job
            return one.fail(LeaseLost(f"the claim of job {job} went with the datastore's server"))
        if one.unsure:
            self.unsure.discard(one.lease)
        one.tell(one.end is None or one.lease in flushed.ended)

    def forget(self, worker: WorkerId, but: Collection[Lease] = ()) -> None:
        """The claims of a worker that nobody works on any more, but for these."""
        self.unsure = {one for one in self.unsure if one.worker != worker or one in but}

    async def persist(self, worker: WorkerId, group: Sequence[Entry]) -> Flushed:
        """Try while the datastore is away; what was written after all is not written twice."""
        pause, again = FIRST, False
        while True:
            try:
                flushed = await self.hot.flush(worker, group, again=again)
                self.database.ring()
                return flushed
            except Transient as error:
                log.warning("datastore.away", why=str(error), waiting=len(group))
            await asyncio.sleep(pause)
            pause, again = min(2 * pause, LONGEST), True

    async def close(self) -> None:
        """Give up what cannot be written now; whoever takes the job over goes by what was."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self.tasks:
                    await asyncio.wait(self.tasks)
        late = list(self.tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
