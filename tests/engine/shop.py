"""A small world of its own for the engine: a shop whose shelf is what steps act on."""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlalchemy import select, true

from windlass.engine.hooks import Hooks
from windlass.engine.job import Asker, Phase, Request
from windlass.engine.journal import Crew, Submitted
from windlass.engine.known import skills
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.engine.operation import Hold, Operation, Plan, Step
from windlass.engine.policy import Retry
from windlass.engine.ringing import ring
from windlass.engine.scope import Scope
from windlass.engine.steplog import leave
from windlass.engine.submitting import submit
from windlass.engine.worker import Worker
from windlass.errors import Refused, Transient
from windlass.model.ids import new_id
from windlass.queues.datastore import DatastoreQueue
from windlass.store.beats import beats_at
from windlass.store.database import Database
from windlass.store.journal import SqlJournal
from windlass.store.tables import events, holds, jobs, scopes


@dataclass
class Shop:
    """What steps act on; `faults` says how often an act fails before it goes well."""

    shelf: dict[str, int] = field(default_factory=dict)
    acts: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    refusals: set[str] = field(default_factory=set)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    overlap: dict[str, int] = field(default_factory=dict)

    def within(self, transaction: Any, job: JobId) -> "Shop":
        return self

    def under(self, lease: Lease) -> "Shop":
        return self

    async def act(self, what: str) -> None:
        self.acts.append(what)
        if what in self.gates:
            await self.gates[what].wait()
        if what in self.refusals:
            raise Refused(f"{what} is refused")
        if self.faults[what] > 0:
            self.faults[what] -= 1
            raise Transient(f"{what} failed")


QUICK = Retry(attempts=3, first=0.01, factor=1, jitter=0)


@dataclass(frozen=True)
class Put(Step[Shop]):
    """Put something on the shelf."""

    retry: ClassVar[Retry] = QUICK
    undo_retry: ClassVar[Retry] = QUICK
    item: str

    async def do(self, world: Shop) -> None:
        await world.act(f"put {self.item}")
        world.shelf[self.item] = 1

    async def undo(self, world: Shop) -> None:
        await world.act(f"take {self.item}")
        world.shelf.pop(self.item, None)


@dataclass(frozen=True)
class Sell(Step[Shop]):
    """There is no way back from a sale."""

    retry: ClassVar[Retry] = QUICK
    one_way: ClassVar[bool] = True
    item: str

    async def do(self, world: Shop) -> None:
        await world.act(f"sell {self.item}")


@dataclass(frozen=True)
class Slow(Put):
    """A step that is given little time."""

    timeout: ClassVar[float] = 0.05


@dataclass(frozen=True)
class Waiting(Put):
    """A step whose tries lie far apart."""

    retry: ClassVar[Retry] = Retry(attempts=3, first=1.2, factor=1, jitter=0)


@dataclass(frozen=True)
class Idle(Put):
    """A step that merely waits for something."""

    waits: ClassVar[bool] = True


@dataclass(frozen=True)
class Tell(Put):
    """A step that leaves a result, also in a try that fails."""

    async def do(self, world: Shop) -> None:
        leave(f"{self.item} is told by {len(world.acts)}")
        await world.act(f"tell {self.item}")


@dataclass(frozen=True)
class IdleTell(Tell):
    """The same by a step that merely waits."""

    waits: ClassVar[bool] = True


STEPS = {
    "tell": Tell,
    "idle-tell": IdleTell,
    "put": Put,
    "sell": Sell,
    "slow": Slow,
    "waiting": Waiting,
    "idle": Idle,
}


@dataclass(frozen=True)
class Plain(Operation[Shop]):
    """Stages of acts: "put a, put b; sell c"."""

    shop: str
    acts: str

    @property
    def scope(self) -> Scope:
        root, _, rest = self.shop.partition("/")
        return Scope(exclusive={self.shop}, shared={root} if rest else frozenset())

    async def elaborate(self, world: Shop) -> Plan[Shop]:
        for stage in self.acts.split(";") if self.acts else ():
            yield tuple(
                STEPS[kind](item) for kind, item in (act.split() for act in stage.split(","))
            )


@dataclass(frozen=True)
class Stock(Plain):
    """The same, with something to reserve."""

    name: str = ""
    quota: int = 0

    async def reserve(self, world: Shop) -> Collection[Hold]:
        if self.acts == "nonsense":
            raise Refused("that is nonsense")
        names = [Hold.name("shop", self.name, self.shop)] if self.name else []
        share = [Hold.quota("shelves", new_id("s"), "anna", self.quota)] if self.quota else []
        return [*names, *share]


@dataclass(frozen=True)
class Clear(Stock):
    """Takes a shop away: closes what is under way there."""

    final: ClassVar[bool] = True


class Workshop:
    """An engine on a datastore, with as many workers as one likes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.journal = SqlJournal(database)
        self.shop = Shop()
        self.queue = DatastoreQueue("datastore:", database)
        self.hooks: Hooks | None = None

    async def submit(self, operation: Operation[Any], owner: str = "anna", **more: Any) -> JobId:
        return (await self.ask(operation, owner, **more)).job

    async def ask(self, operation: Operation[Any], owner: str = "anna", **more: Any) -> Submitted:
        request = Request(operation, owner, Asker(owner), {}, **more)
        return await submit(self.journal, self.queue, self.shop, request, self.hooks)

    async def cancel(self, job: JobId) -> None:
        await ring(self.queue, await self.journal.cancel(job, Asker("anna"), None))

    def worker(self, slots: int = 10, name: str | None = None) -> Worker:
        crew = Crew(
            WorkerId(name or new_id("w")),
            socket.gethostname(),
            os.getpid(),
            slots,
            ("default",),
            frozenset(skills(Operation)),
        )
        queue = DatastoreQueue("datastore:", self.database)
        beats = beats_at(self.database.url)
        return Worker(self.journal, queue, self.shop, crew, beats, hooks=self.hooks)

    @asynccontextmanager
    async def working(self, workers: int = 1, slots: int = 10) -> AsyncIterator[list[Worker]]:
        crew = [self.worker(slots) for _ in range(workers)]
        tasks = [asyncio.ensure_future(worker.run()) for worker in crew]
        try:
            yield crew
        finally:
            for worker in crew:
                if not worker.leaving.is_set():
                    worker.stop()  # a second time would mean: now
            await asyncio.gather(*tasks)

    async def row(self, job: JobId) -> Any:
        async with self.database.read() as connection:
            return (await connection.execute(jobs.select().where(jobs.c.id == job))).one()

    async def phase(self, job: JobId) -> Phase:
        return Phase((await self.row(job)).phase)

    async def ended(self, *these: JobId, patience: float = 60.0) -> list[Phase]:
        """The phases of these jobs, when all have ended."""
        async with asyncio.timeout(patience):
            while True:
                phases = await self.phases(these)
                if all(phases[job].ended for job in these):
                    return [phases[job] for job in these]
                await asyncio.sleep(0.01)

    async def phases(self, these: Collection[JobId] = ()) -> dict[JobId, Phase]:
        """Where these jobs are, or all."""
        async with self.database.read() as connection:
            query = select(jobs.c.id, jobs.c.phase).where(jobs.c.id.in_(these) if these else true())
            return {JobId(row.id): Phase(row.phase) for row in await connection.execute(query)}

    async def kinds(self, job: JobId) -> list[str]:
        async with self.database.read() as connection:
            query = events.select().where(events.c.job == job).order_by(events.c.number)
            rows = await connection.execute(query)
            return [kind for row in rows for kind in row.kinds.split()]

    async def leftovers(self) -> tuple[int, int]:
        """Holds and scopes that are there."""
        async with self.database.read() as connection:
            return (
                len((await connection.execute(holds.select())).all()),
                len((await connection.execute(scopes.select())).all()),
            )
