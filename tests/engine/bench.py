"""A bench for the engine's model: every act waits until it is told how it goes."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar

from windlass.engine.job import Asker, Request
from windlass.engine.journal import Crew, End, Submitted
from windlass.engine.known import skills
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.engine.operation import Hold, Operation, Plan, Step
from windlass.engine.policy import Retry
from windlass.engine.pulse import Beats
from windlass.engine.record import StepState
from windlass.engine.runner import Run
from windlass.engine.scope import Scope
from windlass.engine.worker import Hand, Worker
from windlass.errors import LeaseLost, Refused, Transient
from windlass.model.ids import new_id
from windlass.queues.datastore import DatastoreQueue
from windlass.store.database import Database
from windlass.store.journal import SqlJournal

LIMIT = 3  # shares of the one owner there is
HOUR = 3600.0


@dataclass(eq=False)
class Act:
    """A step's try that waits: "well", "refused" or "failed"."""

    what: str
    item: str
    outcome: asyncio.Future[str]


class Bench:
    """What steps act on: a shelf, and who has acted there last."""

    def __init__(self) -> None:
        self.shelf: set[tuple[JobId, str]] = set()
        self.acts: defaultdict[Lease, list[Act]] = defaultdict(list)
        self.fences: defaultdict[JobId, int] = defaultdict(int)
        self.sold: set[JobId] = (
            set()
        )  # jobs with a one-way step that has begun, or was done by hand

    def within(self, transaction: Any, job: JobId) -> "Bench":
        return self

    def under(self, lease: Lease) -> "Place":
        return Place(self, lease)


@dataclass(frozen=True)
class Place:
    """The bench, as the holder of a lease may use it."""

    bench: Bench
    lease: Lease

    async def act(self, what: str, item: str) -> None:
        self.fence()
        bench, job = self.bench, self.lease.job
        act = Act(what, item, asyncio.get_running_loop().create_future())
        bench.acts[self.lease].append(act)
        if what == "sell":
            bench.sold.add(job)
        try:
            outcome = await act.outcome
        finally:
            if act in bench.acts[self.lease]:
                bench.acts[self.lease].remove(act)
        self.fence()
        if outcome == "refused":
            raise Refused(f"{what} {item} is refused")
        if outcome == "failed":
            raise Transient(f"{what} {item} failed")
        (bench.shelf.discard if what == "take" else bench.shelf.add)((job, item))

    def fence(self) -> None:
        """As a node does: who has been followed by another acts no more."""
        if self.lease.number < self.bench.fences[self.lease.job]:
            raise LeaseLost("a later lease has acted here")
        self.bench.fences[self.lease.job] = self.lease.number


TWICE = Retry(attempts=2, first=0, jitter=0)


@dataclass(frozen=True)
class Lay(Step[Any]):
    """Lays something on the shelf; tried twice, at once."""

    retry: ClassVar[Retry] = TWICE
    undo_retry: ClassVar[Retry] = TWICE
    item: str

    async def do(self, world: Any) -> None:
        await world.act("lay", self.item)

    async def undo(self, world: Any) -> None:
        await world.act("take", self.item)


@dataclass(frozen=True)
class LayLater(Lay):
    """The same, with an hour between the tries."""

    retry: ClassVar[Retry] = Retry(attempts=2, first=HOUR, longest=HOUR, jitter=0)
    undo_retry: ClassVar[Retry] = retry


@dataclass(frozen=True)
class SellOff(Lay):
    """There is no way back from it."""

    one_way: ClassVar[bool] = True

    async def do(self, world: Any) -> None:
        await world.act("sell", self.item)


STEPS = {"l": Lay, "w": LayLater, "s": SellOff}


@dataclass(frozen=True)
class Work(Operation[Any]):
    """Stages of acts ("l,w;s") on paths, perhaps with a name and a share of the quota."""

    exclusive: tuple[str, ...]
    shared: tuple[str, ...]
    plan: str
    called: str = ""
    share: str = ""

    @property
    def scope(self) -> Scope:
        return Scope(frozenset(self.exclusive), frozenset(self.shared))

    async def reserve(self, world: Any) -> Collection[Hold]:
        named = [Hold.name("name", self.called, self.called)] if self.called else []
        return [*named, *([Hold.quota("share", self.share, "anna", LIMIT)] if self.share else [])]

    async def elaborate(self, world: Any) -> Plan[Any]:
        for number, stage in enumerate(self.plan.split(";") if self.plan else ()):
            yield tuple(STEPS[kind](f"{number}{n}") for n, kind in enumerate(stage.split(",")))

    @property
    def items(self) -> list[str]:
        """What lies on the shelf when it is complete, in the order of its steps."""
        stages = enumerate(self.plan.split(";") if self.plan else ())
        return [f"{number}{n}" for number, stage in stages for n in range(len(stage.split(",")))]


@dataclass(frozen=True)
class Sweep(Work):
    """Takes away what is at its paths."""

    final: ClassVar[bool] = True


class Hands(Worker):
    """A worker without a loop: it claims when it is told to, and shows its runs."""

    def __init__(self, journal: SqlJournal, database: Database, bench: Bench) -> None:
        able = frozenset(skills(Operation))
        crew = Crew(WorkerId(new_id("w")), "here", os.getpid(), 3, ("default",), able)
        super().__init__(journal, DatastoreQueue("datastore:", database), bench, crew, no_beats)
        self.bench = bench
        self.runs: dict[Lease, Run] = {}

    async def outcome(self, run: Run, hand: Hand, running: Coroutine[Any, Any, End]) -> End:
        self.runs[run.claimed.lease] = run
        return await super().outcome(run, hand, running)

    def still(self) -> bool:
        """Whether every run waits for us."""
        return all(self.waits(self.runs.get(lease)) for lease in self.hands)

    def waits(self, run: Run | None) -> bool:
        if run is None or run.pen.wet:
            return False
        moving = (StepState.RUNNING, StepState.UNDOING)
        acting = sum(row.state in moving for row in run.record.steps)
        return 0 < acting == len(self.bench.acts[run.claimed.lease])

    async def perish(self) -> None:
        """As SIGKILL has it: nothing more is written."""
        tasks = [hand.task for hand in self.hands.values() if hand.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def no_beats() -> Beats:
    raise AssertionError("nobody beats here")


async def ask(
    journal: SqlJournal,
    bench: Bench,
    operation: Work,
    delay: float,
    priority: int | None = None,
) -> Submitted:
    """Submit as the broker does."""

    async def reserve(transaction: Any, job: JobId) -> Collection[Hold]:
        return await operation.reserve(bench.within(transaction, job))

    request = Request(operation, "anna", Asker("anna"), {}, delay=delay, priority=priority)
    return await journal.submit(request, reserve)
