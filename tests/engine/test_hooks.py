"""What an engine's user hears of jobs, and what steps say."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from conftest import until
from engine.shop import Put, Shop, Stock, Workshop
from windlass.engine.hooks import Hooks
from windlass.engine.job import Phase, Request, Trouble
from windlass.engine.journal import EventKind
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.engine.operation import Operation, Plan, Step
from windlass.engine.record import StepRow
from windlass.engine.steplog import LINES, say
from windlass.errors import Refused, Transient
from windlass.store.access import Access
from windlass.store.hot import Entry, Flushed
from windlass.store.jobs import Jobs


class Heard(Hooks):
    """Writes down what it hears, and fails at it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def before_submit(self, request: Request) -> None:
        if request.owner == "nobody":
            raise Refused("nobody may ask for anything")
        self.heard.append("asked")

    async def after_submit(self, job: JobId, request: Request) -> None:
        self.heard.append(f"{job} accepted")
        raise RuntimeError("a hook's failure is its own")

    async def before_try(self, lease: Lease, step: StepRow) -> None:
        self.heard.append(f"before {step.title}")
        raise RuntimeError("a hook's failure is its own")

    async def after_try(self, lease: Lease, step: StepRow, error: Exception | None) -> None:
        self.heard.append(f"after {step.title}: {error}")

    async def on_failure(self, lease: Lease, kind: str, why: Trouble | None) -> None:
        self.heard.append(f"{kind} failed")

    async def on_failing(self, lease: Lease, kind: str, times: int) -> None:
        self.heard.append(f"{kind} is failing")

    async def on_bury(self, lease: Lease, kind: str, why: Trouble | None) -> None:
        self.heard.append(f"{kind} buried: {why.text if why else ''}")


@pytest.fixture
def hooks(workshop: Workshop) -> Heard:
    """Hears of all that happens in the workshop."""
    workshop.hooks = heard = Heard()
    return heard


async def test_hooks_hear_of_what_was_accepted(workshop: Workshop, hooks: Heard) -> None:
    """One that fails afterwards changes nothing; the same request again is no new job."""
    with pytest.raises(Refused, match="nonsense"):
        await workshop.submit(Stock("s1", "nonsense"))
    job = await workshop.submit(Stock("s1", "put a"), key="once")
    assert await workshop.submit(Stock("s1", "put a"), key="once") == job
    assert hooks.heard == ["asked", "asked", f"{job} accepted", "asked"]


async def test_a_hook_may_refuse(workshop: Workshop, hooks: Heard) -> None:
    with pytest.raises(Refused, match="nobody may"):
        await workshop.submit(Stock("s1", "put a"), owner="nobody")
    assert hooks.heard == []
    assert await workshop.leftovers() == (0, 0)
    assert await workshop.submit(Stock("s1", "put a")) == 1, "there was no job before"


async def test_hooks_hear_tries_and_failures(workshop: Workshop, hooks: Heard) -> None:
    workshop.shop.refusals.add("put a")
    first = await workshop.submit(Stock("s1", "put a"))
    async with workshop.working():
        await workshop.ended(first)
        await until(lambda: "stock failed" in hooks.heard)  # it is told after it is durable
        for _ in range(3):
            await workshop.ended(await workshop.submit(Stock("s1", "put a")))
    told = ["before Put", "after Put: put a is refused", "before Put", "after Put: None"]
    assert hooks.heard[:7] == ["asked", "1 accepted", *told, "stock failed"]
    assert hooks.heard.count("stock failed") == 4
    assert hooks.heard.count("stock is failing") == 1


async def test_hooks_hear_of_a_burial(workshop: Workshop, hooks: Heard) -> None:
    workshop.shop.refusals.add("sell a")
    async with workshop.working():
        await workshop.ended(await workshop.submit(Stock("s1", "sell a")))
    assert hooks.heard[-1] == "stock buried: sell a is refused"


LOST = {
    "buried": (Stock("s1", "sell a", name="corner"), "stock buried: sell a is refused"),
    "failed": (Stock("s1", "put a", name="corner"), "stock failed"),
    "flushed": (Stock("s1", "put a"), "stock failed"),
}


@pytest.mark.parametrize("how", LOST)
async def test_hooks_hear_of_an_end_whose_answer_was_lost(
    workshop: Workshop, hooks: Heard, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The commit went through and the connection broke; tried again, it finds nothing to end."""
    operation, expected = LOST[how]
    workshop.shop.refusals |= {"sell a", "put a"}
    write, hot, lost = workshop.database.write, workshop.journal.flusher.hot, []
    flush = hot.flush

    @asynccontextmanager
    async def written(by: Any = None, *, quiet: bool = False) -> AsyncIterator[Any]:
        async with write(by, quiet=quiet) as connection:
            yield connection
        if isinstance(by, Lease) and (await workshop.phase(by.job)).ended and not lost:
            lost.append("a settle")
            raise Transient("the connection broke")

    async def flushed(worker: WorkerId, group: Sequence[Entry], *, again: bool = False) -> Flushed:
        written = await flush(worker, group, again=again)
        if written.ended:
            lost.append("a flush")
            raise Transient("the connection broke")
        return written

    monkeypatch.setattr(workshop.database, "write", written)
    monkeypatch.setattr(hot, "flush", flushed)
    job = await workshop.submit(operation)
    async with workshop.working():
        await workshop.ended(job)
        await until(lambda: hooks.heard[-1].startswith("stock "))
    assert lost == ["a flush" if how == "flushed" else "a settle"]
    assert hooks.heard.count(expected) == 1


@dataclass(frozen=True)
class Talk(Put):
    """Says much."""

    lines: int = 0

    async def do(self, world: Shop) -> None:
        for number in range(self.lines):
            say(f"line {number}\x00 of many\nand another")


@dataclass(frozen=True)
class Speech(Operation[Shop]):
    """A step that says much."""

    lines: int

    async def elaborate(self, world: Shop) -> Plan[Shop]:
        step: Step[Shop] = Talk("a", self.lines)
        yield step


async def lines(workshop: Workshop, job: int) -> list[str]:
    told = await Jobs(Access(workshop.database)).since(JobId(job), 0)
    return [event.detail["text"] for event in told if event.kind is EventKind.LOG]


async def test_what_a_step_says_is_kept(workshop: Workshop) -> None:
    job = await workshop.submit(Speech(2))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    expected = ["line 0 of many", "and another", "line 1 of many", "and another"]
    assert await lines(workshop, job) == expected


async def test_what_a_step_says_is_bounded(workshop: Workshop) -> None:
    job = await workshop.submit(Speech(LINES))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    found = await lines(workshop, job)
    assert len(found) == LINES
    assert "left out" in found[-1]


async def test_a_worker_leaves_after_so_many_jobs(workshop: Workshop) -> None:
    for number in range(5):
        await workshop.submit(Stock(f"s{number}", "put a"))
    worker = workshop.worker()
    worker.left = 3
    await worker.run()
    phases = [await workshop.phase(JobId(job)) for job in range(1, 6)]
    assert phases.count(Phase.COMPLETE) == 3


async def test_every_tube_has_its_share(workshop: Workshop) -> None:
    for number in range(12):
        await workshop.submit(Stock(f"a{number}", f"put a{number}"))
        await workshop.submit(Slowly(f"b{number}", f"put b{number}"))
    worker = workshop.worker()
    worker.tubes = {"default": 3, "slow": 1}
    await worker.journal.enlist(worker.crew)
    claimed = [one.kind for one in await worker.claim(8, None)]
    assert sorted(claimed) == ["slowly"] * 2 + ["stock"] * 6
    rest = [one.kind for one in await worker.claim(100, None)]
    assert (rest.count("slowly"), rest.count("stock")) == (10, 6)


@dataclass(frozen=True)
class Slowly(Stock):
    """Of another tube."""

    tube: ClassVar[str] = "slow"
