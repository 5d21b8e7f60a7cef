"""A small world in a folder: its shelf and its troubles outlive whoever works there."""

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from conftest import until
from engine.shop import Workshop
from system.trials import Kill
from windlass.engine.job import Asker, Phase
from windlass.engine.lease import JobId, Lease
from windlass.engine.operation import Hold, Operation, Plan, Step
from windlass.engine.policy import Retry
from windlass.engine.ringing import ring
from windlass.engine.scope import Scope
from windlass.engine.worker import Worker
from windlass.errors import Conflict, LeaseLost, Refused, Transient
from windlass.store.database import Database

REFUSED, DEADLY = "refused", "deadly"


@dataclass(frozen=True)
class Barn:
    """What steps act on; `on` says what else happens at an act, `kill` at which one to die."""

    folder: Path
    kill: Kill | None = None
    lease: Lease | None = None
    acts: list[str] = field(default_factory=list)  # of this process
    on: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)

    def within(self, transaction: Any, job: JobId) -> "Barn":
        return self

    def under(self, lease: Lease) -> "Barn":
        return replace(self, lease=lease)

    async def act(self, what: str, item: str, *, there: bool = True) -> None:
        """Put an item on the shelf, or take it down; or whatever else this act has in store."""
        told = f"{what} {item}"
        self.acts.append(told)
        self.die_if(after=False)
        self.check()
        with (self.folder / "acts").open("a") as file:
            file.write(f"{self.lease.job} {told}\n")  # type: ignore[union-attr]
        if told in self.on:
            await self.on[told]()
        self.suffer(told)
        shelf = self.folder / f"shelf-{item}"
        if there:
            shelf.touch()
        else:
            shelf.unlink(missing_ok=True)
        self.die_if(after=True)

    def check(self) -> None:
        """As a node does: who has been followed by another acts no more."""
        assert self.lease is not None
        fence = self.folder / f"fence-{self.lease.job}"
        if fence.exists() and int(fence.read_text()) > self.lease.number:
            raise LeaseLost("somebody came after us")
        fence.write_text(str(self.lease.number))

    def die_if(self, *, after: bool) -> None:
        if self.kill == Kill(len(self.acts), after):
            os.kill(os.getpid(), signal.SIGKILL)

    # -- troubles --------------------------------------------------------------------------

    def plant(self, **troubles: str | int) -> None:
        """So many failures, or one of the words above, for `put_a` and the like."""
        for what, trouble in troubles.items():
            (self.folder / f"trouble-{what.replace('_', ' ')}").write_text(str(trouble))

    def mend(self) -> None:
        for trouble in self.folder.glob("trouble-*"):
            trouble.unlink()

    def suffer(self, what: str) -> None:
        trouble = self.folder / f"trouble-{what}"
        words = trouble.read_text() if trouble.exists() else "0"
        if words == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if words == REFUSED:
            raise Refused(f"{what} is refused")
        if int(words) > 0:
            trouble.write_text(str(int(words) - 1))
            raise Transient(f"{what} failed")

    # -- what came of it -------------------------------------------------------------------

    @property
    def shelf(self) -> list[str]:
        return sorted(path.name.partition("-")[2] for path in self.folder.glob("shelf-*"))

    @property
    def told(self) -> list[str]:
        """Every act that was begun here, by whomever: `1 put a`."""
        path = self.folder / "acts"
        return path.read_text().splitlines() if path.exists() else []


@dataclass(frozen=True)
class Store(Step[Barn]):
    """Tried three times, at once."""

    retry: ClassVar[Retry] = Retry(attempts=3, first=0, jitter=0)
    undo_retry: ClassVar[Retry] = retry
    item: str

    async def do(self, world: Barn) -> None:
        await world.act("put", self.item)

    async def undo(self, world: Barn) -> None:
        await world.act("take", self.item, there=False)


@dataclass(frozen=True)
class StoreLater(Store):
    """Tried three times, each later than a worker waits for it."""

    retry: ClassVar[Retry] = Retry(attempts=3, first=0.03, factor=1, jitter=0)
    undo_retry: ClassVar[Retry] = retry


@dataclass(frozen=True)
class Ship(Store):
    """There is no way back from it."""

    one_way: ClassVar[bool] = True

    async def do(self, world: Barn) -> None:
        await world.act("ship", self.item)


STEPS = {"put": Store, "later": StoreLater, "ship": Ship}


@dataclass(frozen=True)
class Harvest(Operation[Barn]):
    """Stages of acts at a field: "put a, put b; ship c"."""

    place: str
    plan: str
    name: str = ""

    @property
    def scope(self) -> Scope:
        root, _, rest = self.place.partition("/")
        return Scope(frozenset({self.place}), frozenset({root} if rest else ()))

    async def reserve(self, world: Barn) -> list[Hold]:
        return [Hold.name("crop", self.name, self.place)] if self.name else []

    async def elaborate(self, world: Barn) -> Plan[Barn]:
        await world.act("think of", self.place, there=False)
        for stage in self.plan.split(";"):
            yield tuple(STEPS[kind](item) for kind, item in map(str.split, stage.split(",")))


@dataclass(frozen=True)
class Plough(Harvest):
    """Takes a field away: closes what is under way there."""

    final: ClassVar[bool] = True


class Farm(Workshop):
    """The engine in a barn. What is done here can be done again from the start."""

    def __init__(self, database: Database, barn: Barn) -> None:
        super().__init__(database)
        self.shop = barn  # type: ignore[assignment]
        self.barn = barn
        self.hand: Worker | None = None

    async def sow(self, plan: str, name: str = "", delay: float = 0.0) -> JobId:
        """Ask for a harvest, with a key: twice is once."""
        return await self.submit(Harvest("f", plan, name), key=plan, delay=delay)

    async def plough(self, plan: str) -> JobId:
        return await self.submit(Plough("f", plan), key=f"plough {plan}")

    async def work(self, *these: JobId) -> None:
        """Worker after worker, until these jobs have ended, or all."""

        async def ended() -> bool:
            phases = await self.phases(these)
            return all(phase.ended for phase in phases.values())

        while not await ended():
            async with self.working() as (self.hand,):
                leaving = self.hand.leaving
                await until(lambda leaving=leaving: leaving.is_set() or ended())

    async def leave(self) -> None:
        """The first worker who comes here is told to leave, at once."""
        assert self.hand is not None
        if (left := self.barn.folder / "left").exists():
            return
        left.touch()
        self.hand.stop()
        self.hand.stop()

    async def say(self, verb: str, job: JobId, *step: int) -> None:
        """An operator's word, on a buried job that has not heard it."""
        if await self.phase(job) is Phase.BURIED:
            saying = getattr(self.journal, verb)
            await ring(self.queue, await saying(job, Asker("operator"), "because", *step) or [])

    async def call_off(self, job: JobId) -> None:
        """A cancel, perhaps for the second time."""
        try:
            await self.cancel(job)
        except Conflict:
            assert (await self.phase(job)) is Phase.CANCELLED
