"""Every phase that a job can be in, its worker killed there at every write and every act.

In a small world of its own, because the platform's operations do not bring about all of them.
Whoever was killed is followed by another, who does the same from the start: users ask again with
the same key, operators look before they say a word. What is left is what an undisturbed run leaves.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from system.farm import DEADLY, REFUSED, Barn, Farm
from system.trials import Kill, copied, declare_dead, failing, forked
from windlass.engine import keeper, runner
from windlass.engine.job import Phase
from windlass.engine.lease import JobId
from windlass.engine.policy import CRASHES, Direction
from windlass.store.rows import events_of
from windlass.store.schema import upgrade

COMPLETE, FAILED, CANCELLED = Phase.COMPLETE, Phase.FAILED, Phase.CANCELLED
DO, UNDO = Direction.DO, Direction.UNDO


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundredths of a second count as long waits."""
    monkeypatch.setattr(runner, "AT_ONCE", 0.01)
    monkeypatch.setattr(keeper, "ROUND", 0.02)


Sown = list[JobId]
During = Callable[[Farm, Sown], Awaitable[Any]]


@dataclass(frozen=True)
class Story:
    """What is asked for, what goes wrong, what happens during which act, and what is said then."""

    plans: tuple[str, ...]
    ends: tuple[Phase, ...]
    troubles: Mapping[str, Any] = field(default_factory=dict)
    during: Mapping[str, During] = field(default_factory=dict)
    verbs: tuple[tuple[Any, ...], ...] = ()  # on the first job, when everything is mended
    after: During | None = None  # before any work
    deaths: int = 0  # workers that have died at it before
    more: Mapping[str, Any] = field(default_factory=lambda: {"name": "barley"})  # of the first

    @property
    def side_by_side(self) -> bool:
        """Whether steps are done side by side."""
        return any("," in plan for plan in self.plans)

    async def tell(self, farm: Farm) -> None:
        """From the start to the end, whatever of it has happened before."""
        jobs: Sown = []
        for act, doing in self.during.items():
            farm.barn.on[act] = lambda doing=doing: doing(farm, jobs)  # type: ignore[misc]
        for number, plan in enumerate(self.plans):
            jobs.append(await farm.sow(plan, **(self.more if number == 0 else {})))
        if self.after:
            await self.after(farm, jobs)
        await farm.work()
        for verb in self.verbs:
            farm.barn.mend()
            await farm.say(verb[0], jobs[0], *verb[1:])
            await farm.work()


async def cancel_first(farm: Farm, jobs: Sown) -> None:
    await farm.call_off(jobs[0])


async def cancel_last(farm: Farm, jobs: Sown) -> None:
    await farm.call_off(jobs[-1])


async def leave(farm: Farm, jobs: Sown) -> None:
    await farm.leave()


async def plough(farm: Farm, jobs: Sown) -> None:
    await farm.plough("put x; ship y")


async def work_and_plough(farm: Farm, jobs: Sown) -> None:
    await farm.work(jobs[0])
    farm.barn.mend()
    await farm.work(await farm.plough("put x; ship y"))


SOLD = {"troubles": {"put_b": REFUSED}}  # after it there is no way back
RUINED = {"troubles": {"put_b": REFUSED, "take_a": REFUSED}}  # cannot be taken back either
STORIES = {
    "nobody waits": Story(("put a; put b",), (COMPLETE,), more={}),
    "in line": Story(("put a", "put b; ship c", "put d"), (COMPLETE,) * 3),
    "delayed": Story(("put a", "put b"), (COMPLETE,) * 2, more={"delay": 0.05}),
    "tried again later": Story(("later a; put b",), (COMPLETE,), {"put_a": 2}),
    "taken back later": Story(
        ("put z; later a; put b",), (FAILED,), {"put_b": REFUSED, "take_a": 2}
    ),
    "refused while elaborating": Story(("put a",), (FAILED,), {"think_of_f": REFUSED}),
    "one of a stage fails": Story(("put z; put a, put b, put c",), (FAILED,), {"put_b": REFUSED}),
    "one of a stage later": Story(("later a, put b, later c",), (COMPLETE,), {"put_a": 1}),
    "one of a one-way stage": Story(
        ("ship a, ship b; put c",), (COMPLETE,), {"ship_b": REFUSED}, verbs=(("kick",),)
    ),
    "one-way, later": Story(("ship a; later b",), (COMPLETE,), {"put_b": 2}),
    "cancelled in line": Story(("put a", "put b"), (COMPLETE, CANCELLED), after=cancel_last),
    "cancelled while it runs": Story(
        ("put a; put b; put c",), (CANCELLED,), during={"put b": cancel_first}
    ),
    "cancelled in its last stage": Story(
        ("put a; put b",), (CANCELLED,), during={"put b": cancel_first}
    ),
    "cancelled before the point of no return": Story(
        ("put a; ship b",), (CANCELLED,), during={"put a": cancel_first}
    ),
    "cancelled in a wait": Story(
        ("put z; later a",), (CANCELLED,), {"put_a": 2}, during={"put a": cancel_first}
    ),
    "its worker leaves": Story(("put a; put b",), (COMPLETE,), during={"put b": leave}),
    "its worker leaves on the way back": Story(
        ("put a; put b",), (FAILED,), {"put_b": REFUSED}, during={"take a": leave}
    ),
    "ploughed under while it runs": Story(
        ("put a; put b; put c", "put d"), (CANCELLED, CANCELLED, COMPLETE), during={"put b": plough}
    ),
    "ploughed under past the point of no return": Story(
        ("ship a; put b", "put d"), (COMPLETE, CANCELLED, COMPLETE), during={"put b": plough}
    ),
    "sold, ploughed under": Story(
        ("ship a; put b",), (FAILED, COMPLETE), **SOLD, after=work_and_plough
    ),
    "ruined, ploughed under": Story(
        ("put a; put b",), (FAILED, COMPLETE), **RUINED, after=work_and_plough
    ),
    "sold, kicked": Story(("ship a; put b; put c",), (COMPLETE,), **SOLD, verbs=(("kick",),)),
    "sold, skipped": Story(("ship a; put b; put c",), (COMPLETE,), **SOLD, verbs=(("skip", 1),)),
    "sold, discarded": Story(("ship a; put b",), (Phase.DISCARDED,), **SOLD, verbs=(("discard",),)),
    "ruined, kicked": Story(("put a; put b",), (FAILED,), **RUINED, verbs=(("kick",),)),
    "ruined, skipped": Story(("put a; put b",), (FAILED,), **RUINED, verbs=(("skip", 0),)),
    "ruined, discarded": Story(
        ("put a; put b",), (Phase.DISCARDED,), **RUINED, verbs=(("discard",),)
    ),
    "deadly to think of, kicked": Story(
        ("put a",), (COMPLETE,), {"think_of_f": DEADLY}, verbs=(("kick",),), deaths=CRASHES
    ),
    "deadly to do, taken back": Story(
        ("put a; put b",), (CANCELLED,), {"put_b": DEADLY}, verbs=(("undo",),), deaths=CRASHES + 1
    ),
    "deadly to do, ploughed under": Story(
        ("put a; put b",),
        (FAILED, COMPLETE),
        {"put_b": DEADLY},
        after=work_and_plough,
        deaths=CRASHES + 1,
    ),
    "deadly to take back, kicked": Story(
        ("put a; put b",),
        (FAILED,),
        {"put_b": REFUSED, "take_a": DEADLY},
        verbs=(("kick",),),
        deaths=CRASHES + 1,
    ),
}
EVERYWHERE = {
    *((phase, DO) for phase in Phase if phase is not Phase.UNDOING),
    *((phase, UNDO) for phase in (Phase.RUNNING, Phase.UNDOING, FAILED, CANCELLED)),
    (Phase.BURIED, UNDO),
    (Phase.DISCARDED, UNDO),
}


@asynccontextmanager
async def farm_in(folder: Path, write: Kill | None = None, act: Kill | None = None) -> Any:
    """The farm that lies in a folder; who works there may have to die."""
    farm = Farm(failing(f"sqlite:///{folder / 'windlass.db'}", write), Barn(folder, act))
    try:
        yield farm
    finally:
        await farm.journal.close()
        await farm.database.close()


async def told_in(folder: Path, story: Story, write: Kill | None = None, act: Any = None) -> None:
    async with farm_in(folder, write, act) as farm:
        await story.tell(farm)


async def prepared(folder: Path, story: Story) -> None:
    folder.mkdir()
    await upgrade(f"sqlite:///{folder / 'windlass.db'}")
    Barn(folder).plant(**story.troubles)


async def outcome(folder: Path, story: Story) -> tuple[tuple[Phase, ...], dict[str, Any]]:
    """Another tells the story to its end."""
    async with farm_in(folder) as farm:
        await declare_dead(farm.journal)
        await story.tell(farm)
        return await picture(farm)


async def picture(farm: Farm) -> tuple[tuple[Phase, ...], dict[str, Any]]:
    """How the jobs have ended, and what is left; no job's events have a gap or a late word."""
    async with farm.database.read() as connection:
        jobs = (await connection.execute(text("SELECT * FROM jobs ORDER BY id"))).all()
        holds = (await connection.execute(text("SELECT key, job IS NULL FROM holds"))).all()
        scopes = (await connection.execute(text("SELECT path FROM scopes ORDER BY 1"))).all()
        rows = await connection.execute(text("SELECT * FROM events ORDER BY job, number"))
        told = rows.all()
    for job in jobs:
        mine = [row for row in told if row.job == job.id]
        numbers = [event.number for row in mine for event in events_of(row)]
        assert numbers == list(range(1, len(numbers) + 1))
        leases = [row.lease for row in mine if row.lease]
        assert leases == sorted(leases)
        assert job.worker is None
    left = {
        "holds": sorted(map(tuple, holds)),
        "scopes": sorted(map(tuple, scopes)),
        "percent": [job.percent for job in jobs],
        "troubles": [json.loads(job.trouble)["code"] if job.trouble else None for job in jobs],
        "shelf": farm.barn.shelf,
    }
    return tuple(Phase(job.phase) for job in jobs), left


async def places(folder: Path) -> set[tuple[Phase, Direction]]:
    """In which phase and direction each job is."""
    turned = "SELECT job FROM events WHERE kinds LIKE '%turned%'"
    query = f"SELECT id, phase, id IN ({turned}) AS back FROM jobs"
    async with farm_in(folder) as farm, farm.database.read() as connection:
        rows = await connection.execute(text(query))
        return {(Phase(row.phase), UNDO if row.back else DO) for row in rows}


class Trial:
    """One story, told with a death at every write, and at every act."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.story, self.folder, self.base = story, folder, folder / "base"
        self.seen: set[tuple[Phase, Direction]] = set()
        self.kills = 0

    def run(self) -> None:
        asyncio.run(prepared(self.base, self.story))
        for _ in range(self.story.deaths):
            assert forked(lambda: told_in(self.base, self.story))
            asyncio.run(self.buried_by_others())
        whole = copied(self.base, self.folder / "undisturbed")
        self.ends, self.left = asyncio.run(outcome(whole, self.story))
        assert self.ends == self.story.ends
        self.acts = Counter(Barn(whole).told)
        self.everywhere(lambda folder, kill: told_in(folder, self.story, write=kill))
        if self.story.side_by_side:  # or an act is followed by a write, and preceded by one
            self.everywhere(lambda folder, kill: told_in(folder, self.story, act=kill))

    async def buried_by_others(self) -> None:
        async with farm_in(self.base) as farm:
            await declare_dead(farm.journal)

    def everywhere(self, telling: Callable[[Path, Kill], Any]) -> None:
        for at in range(1, 200):
            died = [self.killed(telling, Kill(at, after)) for after in (False, True)]
            if not any(died):
                return
        raise AssertionError("there is no end of it")

    def killed(self, telling: Callable[[Path, Kill], Any], kill: Kill) -> bool:
        """Die there, let another go on, and compare; false if it came to the end alive."""
        folder = copied(self.base, self.folder / "trial")
        if not forked(lambda: telling(folder, kill)):
            return False
        self.kills += 1
        self.seen |= asyncio.run(places(folder))
        ends, left = asyncio.run(outcome(folder, self.story))
        assert (ends, left) == (self.ends, self.left), kill
        again = Counter(Barn(folder).told) - self.acts
        assert not again or max(again.values()) == 1, (kill, again)
        return True


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, set[tuple[Phase, Direction]]]]:
    """Where each story's workers were killed."""
    return {}


@pytest.mark.parametrize("name", STORIES)
def test_killed_at_every_write_and_act(name: str, tmp_path: Path, seen: dict[str, Any]) -> None:
    trial = Trial(STORIES[name], tmp_path)
    trial.run()
    seen[name] = trial.seen
    print(f"{name}: {trial.kills} kills")


def test_no_phase_is_left_out(seen: dict[str, Any]) -> None:
    if set(seen) != set(STORIES):
        pytest.skip("only some of the stories were told")
    assert set().union(*seen.values()) == EVERYWHERE
