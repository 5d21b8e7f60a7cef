"""The engine against a model: whatever is asked, crashes and is wished, in any order.

No worker loop: claims, outcomes of acts, deaths and verbs come one at a time from hypothesis, and
after each of them the datastore must be one that the model allows.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import structs
from sqlalchemy import event as listened
from sqlalchemy import text

from engine.bench import HOUR, LIMIT, Act, Bench, Hands, Sweep, Work, ask
from engine.shop import Stock, Workshop
from windlass.engine.job import Asker, Phase
from windlass.engine.journal import Event
from windlass.engine.lease import JobId
from windlass.errors import Conflict, NotFound, OverLimit, Taken
from windlass.store.database import Database
from windlass.store.journal import SqlJournal
from windlass.store.rows import EventsRow, events_of
from windlass.store.schema import upgrade

OVER = (Phase.COMPLETE, Phase.FAILED, Phase.CANCELLED, Phase.DISCARDED)  # for good
GONE = (Phase.FAILED, Phase.CANCELLED)  # without leaving anything
UNDER_WAY = (Phase.READY, Phase.RUNNING, Phase.RETRYING, Phase.UNDOING)
ANNA = Asker("anna")
PATHS = [
    (("a",), ()),
    (("a/x",), ("a",)),
    (("a/y",), ("a",)),
    ((), ("a",)),
    (("b/x",), ("b", "a")),
    (("a/x", "b"), ("a",)),
    ((), ()),
]
PLANS = ["l", "l;l", "s;l", "w", "l,l", "l;s", "l,w;l", "l;w", "s;s", "", "l,s"]
PICK = st.integers(0, 11)


# -- the model -----------------------------------------------------------------------------


@dataclass
class Fate:
    """What the model knows of a job."""

    operation: Work
    place: int | None  # in line; None before a delayed job has joined it
    phase: Phase = Phase.DELAYED
    image: Any = None  # its row, when it was last seen
    cancelled: bool = False  # a cancel was accepted
    heirless: bool = False  # its holds were given up with what they were for
    superseded: bool = False  # it was buried, and what it has made is another's to take away
    skipped: set[str] = field(default_factory=set)

    @property
    def in_line(self) -> bool:
        return self.place is not None and self.phase not in OVER

    @property
    def holds(self) -> bool:
        return not self.heirless and (self.phase not in GONE or self.superseded)


def meet(one: str, other: str) -> bool:
    """Whether a path is the other, or contains it."""
    a, b = one.split("/"), other.split("/")
    return b[: len(a)] == a


def clash(one: Work, other: Work) -> bool:
    """Whether two may not be under way together."""
    for mine, theirs in ((one, other), (other, one)):
        for path in mine.exclusive:
            if any(meet(path, there) for there in (*theirs.exclusive, *theirs.shared)):
                return True
    return False


@dataclass
class Story:
    """A job's events, folded once more and more plainly than the engine does."""

    back: bool = False
    begun: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    undone: set[int] = field(default_factory=set)
    steps: int = 0

    @classmethod
    def of(cls, events: list[Event]) -> "Story":
        story = cls()
        for row in events:
            if row.kind == "planned":
                story.steps = len(row.detail["steps"])
            elif row.kind == "turned":
                story.back = True
            elif row.kind == "begun":
                story.begun.add(row.step)
            elif row.kind == "undone" or (row.kind == "skipped" and story.back):
                story.undone.add(row.step)
            elif row.kind in ("done", "skipped"):
                story.done.add(row.step)
        return story

    def may_skip(self, step: int) -> bool:
        if self.back:
            return step in (self.begun | self.done) - self.undone
        return step not in self.done


# -- the machine ---------------------------------------------------------------------------

TEMPLATE = Path(tempfile.mkdtemp(prefix="wmodel"))


@pytest.fixture(scope="module", autouse=True)
def template() -> Any:
    """A migrated datastore, to be copied."""
    asyncio.run(upgrade(f"sqlite:///{TEMPLATE / 'template.db'}"))
    yield
    shutil.rmtree(TEMPLATE, ignore_errors=True)


class Engine(RuleBasedStateMachine):
    """Two workers, an operator, a user, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=TEMPLATE))
        shutil.copy(TEMPLATE / "template.db", self.folder / "windlass.db")
        self.runner = asyncio.Runner()
        self.fates: dict[JobId, Fate] = {}
        self.asked = 0
        self.bench = Bench()
        self.crews: list[Hands] = []
        self.others: list[Hands] = []  # zombies, and those who are about to leave
        self.released: set[JobId] = set()  # buried jobs that a verb has sent on
        self.last_words: Counter[tuple[int, int]] = Counter()  # events of leases that are over
        self.runner.run(self.open())

    async def open(self) -> None:
        self.database = Database(f"sqlite:///{self.folder / 'windlass.db'}")
        listened.listen(self.database.inner.engine, "connect", be_quick)
        self.journal = SqlJournal(self.database)
        self.crews = [await self.hire(), await self.hire()]
        await self.look()

    async def hire(self) -> Hands:
        hands = Hands(self.journal, self.database, self.bench)
        await self.journal.enlist(hands.crew)
        return hands

    def now(self, doing: Any) -> Any:
        """Do this, until every run waits for us."""

        async def whole() -> Any:
            try:
                return await doing
            finally:
                await self.rest()

        return self.runner.run(whole())

    async def rest(self) -> None:
        async with asyncio.timeout(60):
            while not self.still():  # noqa: ASYNC110
                await asyncio.sleep(0.0002)
        for hands in self.others:
            if hands.leaving.is_set() and not hands.lost and not hands.hands:
                await hands.leave()
        self.others = [hands for hands in self.others if hands.hands]

    def still(self) -> bool:
        if self.journal.flusher.on_its_way():
            return False
        return all(hands.still() for hands in (*self.crews, *self.others))

    def teardown(self) -> None:
        try:
            self.runner.run(self.come_to_an_end())
        finally:
            self.runner.run(self.close())
            self.runner.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    async def close(self) -> None:
        for hands in (*self.crews, *self.others):
            await hands.perish()
        await self.journal.close()
        await self.database.close()

    # -- what users and operators do -------------------------------------------------------

    @rule(
        paths=st.sampled_from(PATHS),
        plan=st.sampled_from(PLANS),
        called=st.sampled_from(["", "", "x", "y"]),
        share=st.booleans(),
        delay=st.sampled_from([0.0, 0.0, 0.0, HOUR]),
        priority=st.sampled_from([None, None, 0, 500]),
    )
    def submit(
        self,
        paths: Any,
        plan: str,
        called: str,
        share: bool,
        delay: float,
        priority: int | None,
    ) -> None:
        self.asked += 1
        self.ask(Work(*paths, plan, called, f"s{self.asked}" if share else ""), delay, priority)

    @rule(paths=st.sampled_from([one for one in PATHS if one[0]]), plan=st.sampled_from(PLANS))
    def sweep(self, paths: Any, plan: str) -> None:
        line = [(job, fate) for job, fate in self.line() if isinstance(fate.operation, Sweep)]
        same = [
            job
            for job, fate in line
            if set(fate.operation.exclusive) == set(paths[0]) and fate.phase is not Phase.BURIED
        ]
        delayed = [(job, one) for job, one in self.fates.items() if one.phase is Phase.DELAYED]
        before = [job for job, f in (*self.line(), *delayed) if self.is_below(f, paths[0])]
        phases = {job: self.fates[job].phase for job in before}
        job = self.ask(Sweep(*paths, plan), 0.0)
        if same:
            assert job == same[0]
            return
        for one, phase in phases.items():
            fate = self.fates[one]
            if phase is Phase.BURIED:
                self.released.add(one)
                fate.superseded = True
            elif phase in (Phase.DELAYED, Phase.WAITING, Phase.READY) or one not in self.promised():
                fate.cancelled = True

    def is_below(self, fate: Fate, paths: tuple[str, ...]) -> bool:
        """Whether a sweep of these paths takes away what this job works on."""
        theirs = fate.operation.exclusive or fate.operation.shared
        if isinstance(fate.operation, Sweep) and fate.phase is not Phase.BURIED:
            return False
        return bool(theirs) and all(any(meet(path, one) for path in paths) for one in theirs)

    def promised(self) -> set[JobId]:
        """Jobs past the point of no return."""
        query = text("SELECT job FROM intents WHERE kind = 'no-return'")
        return {row.job for row in self.runner.run(self.rows(query))}

    def ask(self, operation: Work, delay: float, priority: int | None = None) -> JobId | None:
        """Submit, and see that it is accepted or refused as it should be."""
        held = [fate.operation for fate in self.fates.values() if fate.holds]
        expected: set[type[Exception]] = set()
        if operation.called and operation.called in {one.called for one in held}:
            expected.add(Taken)
        if operation.share and sum(bool(one.share) for one in held) >= LIMIT:
            expected.add(OverLimit)
        try:
            made = self.now(ask(self.journal, self.bench, operation, delay, priority))
        except (Taken, OverLimit) as error:
            assert type(error) in expected
            return None
        assert not expected
        if made.fresh:
            self.fates[made.job] = Fate(operation, None if delay else self.next_place())
        return JobId(made.job)

    def next_place(self) -> int:
        return max((fate.place or 0 for fate in self.fates.values()), default=0) + 1

    def line(self) -> list[tuple[JobId, Fate]]:
        found = [(job, fate) for job, fate in self.fates.items() if fate.in_line]
        return sorted(found, key=lambda one: one[1].place or 0)

    @precondition(lambda self: self.fates)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        self.wish(*self.one(pick))

    @precondition(lambda self: self.under_way())
    @rule(pick=PICK)
    def cancel_what_is_under_way(self, pick: int) -> None:
        jobs = self.under_way()
        self.wish(job := jobs[pick % len(jobs)], self.fates[job])

    def under_way(self) -> list[JobId]:
        return [job for job, fate in self.fates.items() if fate.phase in UNDER_WAY[1:]]

    def wish(self, job: JobId, fate: Fate) -> None:
        """A cancel: accepted before the point of no return, and refused after it."""
        refused = fate.phase in OVER or fate.phase is Phase.BURIED or job in self.promised()
        try:
            self.now(self.journal.cancel(job, ANNA, None))
        except Conflict:
            assert refused
        else:
            assert not refused
            fate.cancelled = True

    @precondition(lambda self: self.fates)
    @rule(pick=PICK, verb=st.sampled_from(["kick", "undo", "discard", "skip"]))
    def verb(self, pick: int, verb: str) -> None:
        """The table of verbs, for whatever job there is."""
        self.say(*self.one(pick), verb, *([0] if verb == "skip" else []))

    @precondition(lambda self: self.buried())
    @rule(pick=PICK, verb=st.sampled_from(["kick", "undo", "discard", "skip"]), step=PICK)
    def verb_on_a_buried_job(self, pick: int, verb: str, step: int) -> None:
        buried = self.buried()
        job = buried[pick % len(buried)]
        self.say(job, self.fates[job], verb, *([step % 4] if verb == "skip" else []))

    def buried(self) -> list[JobId]:
        return [job for job, fate in self.fates.items() if fate.phase is Phase.BURIED]

    def say(self, job: JobId, fate: Fate, verb: str, *step: int) -> None:
        """One verb on one job: it works as the table says, or is refused."""
        story = self.runner.run(self.story(job))
        expected = self.table(job, fate, story, verb, *step)
        try:
            self.now(getattr(self.journal, verb)(job, ANNA, "because", *step))
        except (Conflict, NotFound) as error:
            assert type(error) is expected, f"{verb} {step} of {job}: {error}"
            return
        assert expected in (Phase.RETRYING, Phase.UNDOING, Phase.DISCARDED), (verb, job, expected)
        self.released.add(job)
        if verb == "skip":
            fate.skipped.add(fate.operation.items[step[0]])
            if self.sale(fate, step[0]):
                self.bench.sold.add(job)
        if verb == "undo":
            fate.cancelled = True
        self.runner.run(self.look())
        assert fate.phase is expected

    def table(self, job: JobId, fate: Fate, story: Story, verb: str, *step: int) -> Any:
        """The phase that a verb leads to, or the error."""
        if fate.phase is not Phase.BURIED:
            return Conflict
        onward = Phase.UNDOING if story.back else Phase.RETRYING
        if verb == "discard":
            return Phase.DISCARDED
        if verb == "undo":
            return Conflict if story.back or job in self.bench.sold else Phase.UNDOING
        if verb == "skip" and step[0] >= story.steps:
            return NotFound
        if verb == "skip" and not story.may_skip(step[0]):
            return Conflict
        unsold = fate.cancelled and job not in self.bench.sold
        if verb == "skip" and unsold and self.sale(fate, step[0]):
            return Conflict
        return onward

    def sale(self, fate: Fate, step: int) -> bool:
        """Whether there is no way back from a step."""
        return fate.operation.plan.replace(";", ",").split(",")[step] == "s"

    @precondition(lambda self: any(self.resources()))
    @rule(pick=PICK)
    def give_up(self, pick: int) -> None:
        """What a completed job has made is deleted, with its name and share."""
        found = self.resources()
        fate = found[pick % len(found)]
        fate.heirless = True
        gone = "DELETE FROM holds WHERE resource IN (:name, :share)"
        names = {"name": fate.operation.called, "share": fate.operation.share}
        self.now(self.change(gone, **names))

    def resources(self) -> list[Fate]:
        return [one for one in self.fates.values() if one.phase is Phase.COMPLETE and one.holds]

    # -- what workers do -------------------------------------------------------------------

    @rule(who=st.integers(0, 1), room=st.integers(1, 3))
    def claim(self, who: int, room: int) -> None:
        """The most urgent first, of them whose owner's turn it is, of them the oldest."""
        waiting = [
            (fate.image.priority, fate.image.turn, job, fate.image.lease)
            for job, fate in self.fates.items()
            if fate.image.claimable
        ]
        self.now(self.crews[who].take(room))
        rows = self.runner.run(self.rows(text("SELECT id, lease FROM jobs")))
        leases = {row.id: row.lease for row in rows}
        taken = [leases[job] > lease for *_, job, lease in sorted(waiting)]
        assert taken == [place < room for place in range(len(taken))]

    @precondition(lambda self: self.fates)
    @rule(who=st.integers(0, 1), pick=PICK)
    def follow_a_nudge(self, who: int, pick: int) -> None:
        """It may be old, or for a job that never was ready."""
        self.now(self.crews[who].take(1, self.one(pick)[0]))

    @precondition(lambda self: self.fates and not self.acts())
    @rule(how=st.sampled_from(["well", "failed", "refused"]))
    def claim_and_act(self, how: str) -> None:
        self.now(self.crews[0].take(3))
        self.now(self.tell(self.acts(), how))

    @precondition(lambda self: self.acts())
    @rule(pick=PICK, how=st.sampled_from(["well", "well", "failed", "refused"]))
    def act(self, pick: int, how: str) -> None:
        acts = self.acts()
        self.now(self.tell([acts[pick % len(acts)]], how))

    @precondition(lambda self: self.acts())
    @rule(how=st.sampled_from(["well", "failed", "refused"]))
    def all_act(self, how: str) -> None:
        self.now(self.tell(self.acts(), how))

    def acts(self) -> list[Act]:
        return [act for acts in self.bench.acts.values() for act in acts]

    async def tell(self, acts: list[Act], how: str) -> None:
        for some in self.bench.acts.values():
            some[:] = [act for act in some if act not in acts]
        for act in acts:
            act.outcome.set_result(how)

    def busy(self) -> list[int]:
        """Who of the two has jobs in hand."""
        return [who for who, hands in enumerate(self.crews) if hands.hands]

    @precondition(lambda self: any(fate.cancelled for fate in self.fates.values()))
    @rule()
    def heed(self) -> None:
        for hands in self.crews:
            self.now(hands.pass_on_cancels())

    @precondition(lambda self: self.busy())
    @rule(pick=PICK)
    def die(self, pick: int) -> None:
        """SIGKILL, and declared dead."""
        self.now(self.death(self.busy()[pick % len(self.busy())]))

    async def death(self, who: int) -> None:
        hands = self.crews[who]
        await hands.perish()
        await self.journal.retire(hands.crew.id)
        self.crews[who] = await self.hire()

    @precondition(lambda self: self.busy())
    @rule(pick=PICK)
    def freeze(self, pick: int) -> None:
        """Declared dead, but it goes on later."""
        hands = self.replaced(pick)
        hands.lost = True
        leases = list(hands.hands)
        self.now(self.journal.retire(hands.crew.id))
        told = self.runner.run(self.told())
        self.last_words.update({(of.job, of.number): told[of.job, of.number] for of in leases})

    @precondition(lambda self: self.busy())
    @rule(pick=PICK, at_once=st.booleans())
    def leave(self, pick: int, at_once: bool) -> None:
        """SIGTERM, once or twice."""
        self.now(self.stop(self.replaced(pick), 1 + at_once))

    def replaced(self, pick: int) -> Hands:
        """One who has jobs in hand, and is among the others from now on."""
        who = self.busy()[pick % len(self.busy())]
        hands, self.crews[who] = self.crews[who], self.now(self.hire())
        self.others.append(hands)
        return hands

    async def stop(self, hands: Hands, times: int) -> None:
        for _ in range(times):
            hands.stop()

    @precondition(lambda self: any(fate.phase in UNDER_WAY for fate in self.fates.values()))
    @rule(who=st.integers(0, 1), pick=PICK)
    def poison(self, who: int, pick: int) -> None:
        """A job at which worker after worker dies."""
        job, fate = self.one(pick)
        for _ in range(6):
            if fate.phase not in UNDER_WAY:
                return
            self.now(self.crews[who].take(1, job))
            self.now(self.death(who))
            self.runner.run(self.look())

    @precondition(lambda self: any(fate.image.due for fate in self.fates.values()))
    @rule()
    def an_hour_passes(self) -> None:
        self.now(self.pass_an_hour())

    async def pass_an_hour(self) -> None:
        """What was due in an hour is due now, and housekeeping sees to it."""
        waiting = [job for job, fate in self.fates.items() if fate.phase is Phase.DELAYED]
        await self.change("UPDATE jobs SET due = due - 7200 WHERE due IS NOT NULL")
        for row in await self.rows(text("SELECT * FROM events WHERE kinds LIKE '%failed%'")):
            sooner = EventsRow.of(
                row.job, row.lease, [sooner_by(event, 7200) for event in events_of(row)]
            )
            told = "UPDATE events SET told = :told WHERE job = :job AND number = :number"
            await self.change(told, told=sooner.told, job=row.job, number=row.number)
        await self.journal.wake()
        rows = await self.rows(text("SELECT id, place, phase FROM jobs ORDER BY place, id"))
        for row in rows:
            if row.id in waiting and row.phase != Phase.DELAYED:
                self.fates[row.id].place = self.next_place()

    def one(self, pick: int) -> tuple[JobId, Fate]:
        """A job, the newest for 0."""
        jobs = sorted(self.fates, reverse=True)
        job = jobs[pick % len(jobs)]
        return job, self.fates[job]

    # -- what must be true of the datastore ------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        self.runner.run(self.look())

    async def look(self) -> None:
        """Read it all, and hold it against the model."""
        jobs = await self.rows(text("SELECT * FROM jobs ORDER BY id"))
        assert {row.id for row in jobs} == set(self.fates)
        for row in jobs:
            await self.look_at(row, self.fates[row.id])
        self.released.clear()
        self.order_holds()
        await self.holds_hold()
        await self.line_is_kept()
        await self.the_dead_are_silent()

    async def look_at(self, row: Any, fate: Fate) -> None:
        """One job: what it may have become, and what must go with that."""
        phase, was = Phase(row.phase), fate.phase
        if was in OVER:
            assert row == fate.image, f"job {row.id} went on after its end"
        if was is Phase.BURIED and phase is not was:
            assert row.id in self.released, f"job {row.id} left its grave as {phase}"
        fate.phase, fate.image = phase, row
        assert row.percent is None or 0.0 <= row.percent <= 100.0
        ways = [row.worker is not None, bool(row.claimable), row.due is not None]
        busy = phase in UNDER_WAY or phase is Phase.DELAYED
        assert sum(ways) == (1 if busy else 0), f"job {row.id} is {phase}: {ways}"
        if phase is Phase.COMPLETE:
            assert row.percent == 100.0
            assert not fate.cancelled, f"job {row.id} was to be taken back"
            assert self.laid(row.id) | fate.skipped == set(fate.operation.items)
        if phase in GONE and not fate.superseded:
            assert row.id not in self.bench.sold, f"job {row.id} was past the point of no return"
            assert self.laid(row.id) <= fate.skipped, f"job {row.id} left something behind"
        if phase is not was:
            await self.tells_in_order(row)

    def laid(self, job: JobId) -> set[str]:
        return {item for of, item in self.bench.shelf if of == job}

    async def tells_in_order(self, row: Any) -> None:
        """Events are numbered without gaps, and no lease writes after the next has."""
        told = await self.events(row.id)
        assert [one.number for one in told] == list(range(1, len(told) + 1))
        leases = [one.lease for one in await self.rows(EVENTS, job=row.id) if one.lease]
        assert leases == sorted(leases)
        assert all(lease <= row.lease for lease in leases)

    async def the_dead_are_silent(self) -> None:
        """A lease whose worker was declared dead has no more events than it had then."""
        told = await self.told()
        assert all(told[lease] == count for lease, count in self.last_words.items())

    async def told(self) -> Counter[tuple[int, int]]:
        """How many events each lease has written."""
        rows = await self.rows(text("SELECT job, lease, kinds FROM events"))
        return Counter((row.job, row.lease) for row in rows for _ in row.kinds.split())

    def order_holds(self) -> None:
        """Who waits has somebody before him who wants the same, and who does not wait has none."""
        line = self.line()
        for place, (job, fate) in enumerate(line):
            ahead = [one for one, of in line[:place] if clash(fate.operation, of.operation)]
            waits = fate.phase is Phase.WAITING
            assert waits == bool(ahead), f"job {job} is {fate.phase}, with {ahead} ahead of it"

    async def holds_hold(self) -> None:
        """Names are unique, nobody has more than he may, and nothing is held for nobody."""
        rows = await self.rows(text("SELECT key FROM holds"))
        expected: Counter[str] = Counter()
        for fate in self.fates.values():
            if fate.holds and fate.operation.called:
                expected[f"name:{fate.operation.called}"] += 1
            if fate.holds and fate.operation.share:
                expected[f"share:{fate.operation.share}"] += 1
        found = Counter(row.key for row in rows)
        assert found == expected, (found, expected)
        assert all(count == 1 for count in expected.values())
        assert sum(key.startswith("share:") for key in expected) <= LIMIT

    async def line_is_kept(self) -> None:
        """Who is in line, or beside it till he is due, stands there with all his paths.

        Only a living worker holds a job.
        """
        rows = await self.rows(text("SELECT job, path, exclusive, root FROM scopes"))
        expected = {
            (job, path, path in fate.operation.exclusive, fate.in_line)
            for job, fate in self.fates.items()
            if fate.in_line or fate.phase is Phase.DELAYED
            for path in (*fate.operation.exclusive, *fate.operation.shared)
        }
        found = {
            (row.job, row.path, bool(row.exclusive), not row.root.startswith("delayed:"))
            for row in rows
        }
        assert found == expected
        lost = "SELECT id FROM jobs WHERE worker NOT IN (SELECT id FROM workers)"
        assert await self.rows(text(lost)) == []

    # -- the end ---------------------------------------------------------------------------

    async def come_to_an_end(self) -> None:
        """Everything goes well from now on: all ends, or is buried, or waits behind a buried one.

        Kicked by an operator, those end as well: nothing waits for ever.
        """
        await self.go_on()
        left = {fate.phase for fate in self.fates.values()} - {*OVER}
        assert left <= {Phase.BURIED, Phase.WAITING}, left
        while buried := self.buried():
            for job in buried:
                await self.journal.kick(job, ANNA, "again")
                self.released.add(job)
            await self.go_on()
        assert {fate.phase for fate in self.fates.values()} <= {*OVER}

    async def go_on(self) -> None:
        """Until nothing moves any more."""
        before = None
        while before != (before := await self.rows(text("SELECT id, phase, lease FROM jobs"))):
            await self.pass_an_hour()
            for hands in self.crews:
                await hands.take(100)
            await self.rest()
            while acts := self.acts():
                for hands in self.crews:
                    await hands.pass_on_cancels()
                await self.tell(acts, "well")
                await self.rest()
            await self.look()

    # -- the datastore ---------------------------------------------------------------------

    async def story(self, job: JobId) -> Story:
        return Story.of(await self.events(job))

    async def events(self, job: JobId) -> list[Event]:
        rows = await self.rows(EVENTS, job=job)
        return [event for row in rows for event in events_of(row)]

    async def rows(self, query: Any, **values: Any) -> list[Any]:
        async with self.database.read() as connection:
            return list((await connection.execute(query, values)).all())

    async def change(self, statement: str, **values: Any) -> None:
        async with self.database.write() as connection:
            await connection.execute(text(statement), values)


EVENTS = text("SELECT * FROM events WHERE job = :job ORDER BY number")


def sooner_by(event: Event, seconds: float) -> Event:
    """The same, due so much sooner if it says when something is."""
    due = event.detail.get("due")
    detail = {**event.detail, "due": due - seconds} if due is not None else event.detail
    return structs.replace(event, detail=detail)


def be_quick(connection: Any, _: object) -> None:
    """Nobody pulls the plug here."""
    connection.execute("PRAGMA synchronous=OFF")


TestEngine = pytest.mark.timeout(900)(Engine.TestCase)  # a failure takes its time to be shrunk
TestEngine.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("verb", ["kick", "undo", "discard", "cancel"])
async def test_a_verb_on_no_job(verb: str, workshop: Workshop) -> None:
    with pytest.raises(NotFound):
        await getattr(workshop.journal, verb)(JobId(10**6), ANNA, "because")


async def test_a_delayed_job_that_fails_gives_its_name_back(workshop: Workshop) -> None:
    workshop.shop.refusals.add("put a")
    job = await workshop.submit(Stock("s1", "put a", name="corner"), delay=0.01)
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.FAILED]
    assert await workshop.leftovers() == (0, 0)


async def test_a_final_job_leaves_alone_what_also_works_elsewhere(workshop: Workshop) -> None:
    """Seen from one of its roots, a job must not look smaller than it is."""
    bench = Bench()
    wide = await ask(workshop.journal, bench, Work(("a/x", "b"), ("a",), ""), 0.0)
    shared = await ask(workshop.journal, bench, Work((), ("a",), ""), 0.0)
    sweep = await ask(workshop.journal, bench, Sweep(("a/x",), ("a",), ""), 0.0)
    assert sweep.fresh
    phases = [await workshop.phase(one.job) for one in (wide, shared, sweep)]
    assert phases == [Phase.READY, Phase.READY, Phase.WAITING]
