"""The journal's contract, with the interleavings that have broken others, on both datastores."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace

import asyncpg
import pytest
from sqlalchemy import insert, text, update

from conftest import until
from engine.shop import Clear, Plain, Shop, Stock, Workshop
from windlass.engine.job import Asker, Phase
from windlass.engine.journal import Claimed, Crew, End, Event, EventKind
from windlass.engine.known import skills
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.engine.operation import Hold, Operation, Plan
from windlass.engine.scope import Scope
from windlass.errors import Conflict, LeaseLost, OverLimit
from windlass.store import journal
from windlass.store.database import Database
from windlass.store.hot import Entry
from windlass.store.journal import SqlJournal
from windlass.store.rows import EventsRow, events_of, past_of
from windlass.store.tables import events, jobs

ME = WorkerId("w-me")
ASTRAY = Plain("s2", "put astray")
EITHER = pytest.mark.parametrize("kind", [Stock, Plain], ids=["reserving", "plain"])


@dataclass(frozen=True)
class Elsewhere(Stock):
    """Must run on one machine."""

    @property
    def machine(self) -> str:
        return "node:far"


@dataclass(frozen=True)
class Both(Stock):
    """Works on two shops at once."""

    second: str = ""

    @property
    def scope(self) -> Scope:
        return Scope(exclusive={self.shop, self.second})


@dataclass(frozen=True)
class Pondered(Stock):
    """Asked for by somebody who keeps the transaction of his submit open."""

    async def reserve(self, world: Shop) -> Collection[Hold]:
        world.acts.append("reserve")
        await world.gates["reserve"].wait()
        return ()


@dataclass(frozen=True)
class Weighed(Plain):
    """Takes its time before it has a plan."""

    async def elaborate(self, world: Shop) -> Plan[Shop]:
        await world.act("weigh")
        async for stage in super().elaborate(world):
            yield stage


@pytest.fixture
def forgetful(workshop: Workshop) -> Workshop:
    """On a datastore whose server may crash without its workers."""
    if workshop.database.dialect == "sqlite":
        pytest.skip("what takes a claim from its file takes the worker as well")
    return workshop


@pytest.fixture
async def other(database: Database) -> AsyncIterator[SqlJournal]:
    """The same datastore, as another process sees it."""
    elsewhere = Database(database.url)
    journal = SqlJournal(elsewhere)
    yield journal
    await journal.close()
    await elsewhere.close()


def crew(id: str) -> Crew:
    return Crew(WorkerId(id), "host", 1, 10, ("default",), frozenset(skills(Operation)))


async def claimed(workshop: Workshop, worker: WorkerId = ME) -> Claimed:
    (one,) = await workshop.journal.claim(crew(worker), ["default"], 1)
    return one


def event(number: int, kind: EventKind = EventKind.LOG, **detail: object) -> Event:
    return Event(number, kind, None, time.time(), detail)


async def test_a_job_is_claimed_once(workshop: Workshop, other: SqlJournal) -> None:
    await workshop.journal.enlist(crew(ME))
    await other.enlist(crew("w-other"))
    for number in range(20):
        await workshop.submit(Stock(f"s{number}", "put a"))
    claims = [workshop.journal.claim(crew(ME), ["default"], 3) for _ in range(8)]
    claims += [other.claim(crew("w-other"), ["default"], 3) for _ in range(8)]
    found = [one.lease.job for some in await asyncio.gather(*claims) for one in some]
    assert len(found) == len(set(found)) == 20


async def test_the_dead_write_nothing(workshop: Workshop, other: SqlJournal) -> None:
    await workshop.journal.enlist(crew(ME))
    await workshop.submit(Stock("s1", "put a"))
    lease = (await claimed(workshop)).lease
    await other.retire(ME)
    with pytest.raises(LeaseLost):
        await workshop.journal.write(lease, [event(1)])
    with pytest.raises(LeaseLost):
        await workshop.journal.settle(lease, [], End(Phase.COMPLETE, 100.0))
    with pytest.raises(LeaseLost):
        await workshop.journal.beat(ME)
    with pytest.raises(LeaseLost):
        await workshop.journal.claim(crew(ME), ["default"], 1)
    assert await workshop.kinds(lease.job) == []


async def test_a_death_waits_for_a_flush_under_way(workshop: Workshop, other: SqlJournal) -> None:
    """Or the zombie's rows would land under the next lease."""
    await workshop.journal.enlist(crew(ME))
    await workshop.submit(Stock("s1", "put a"))
    await claimed(workshop)
    async with workshop.database.write(ME):
        death = asyncio.ensure_future(other.retire(ME))
        done, _ = await asyncio.wait({death}, timeout=0.3)
        assert not done
    assert [nudge.job for nudge in await death] == [1]


async def test_who_takes_over_has_what_was_flushed_last(
    workshop: Workshop, other: SqlJournal
) -> None:
    """Whoever declares a worker dead in the middle of its flush waits, or a done step runs again.

    The flush is held up by somebody who is about to write the same event, and does not after all.
    """
    await workshop.journal.enlist(crew(ME))
    await other.enlist(crew("w-other"))
    await workshop.submit(Stock("s1", "put a"))
    lease = (await claimed(workshop)).lease
    done = event(1, EventKind.PLANNED, steps=[])
    blocking = Database(workshop.database.url)
    with contextlib.suppress(ZeroDivisionError):
        async with blocking.write() as connection:
            await connection.execute(
                insert(events), EventsRow.of(lease.job, lease.number, [done]).values()
            )
            flush = asyncio.ensure_future(workshop.journal.write(lease, [done]))
            finished, _ = await asyncio.wait({flush}, timeout=0.3)
            assert not finished
            death = asyncio.ensure_future(other.retire(ME))
            finished, _ = await asyncio.wait({death}, timeout=0.3)
            assert not finished
            if blocking.dialect != "sqlite":  # there it would wait as well
                assert await other.claim(crew("w-other"), ["default"], 1) == []
            raise ZeroDivisionError
    await death
    (over,) = await other.claim(crew("w-other"), ["default"], 1)
    (result,) = await asyncio.gather(flush, return_exceptions=True)
    if result is True:
        assert [one.kind for one in over.events] == [EventKind.PLANNED]
    else:  # SQLite lets either go first
        assert isinstance(result, LeaseLost)
        assert blocking.dialect == "sqlite"
        assert not over.events
    await blocking.close()


async def test_a_flush_waits_for_nobodys_row(workshop: Workshop, other: SqlJournal) -> None:
    """Somebody who has a job's row for long must not hold up all the others of a worker."""
    if workshop.database.dialect == "sqlite":
        pytest.skip("one writes at a time")
    await workshop.journal.enlist(crew(ME))
    for name in ("s1", "s2"):
        await workshop.submit(Stock(name, "put a"))
    first, second = (await claimed(workshop)).lease, (await claimed(workshop)).lease
    end = End(Phase.COMPLETE, 100.0)
    async with other.database.write() as connection, asyncio.timeout(30):
        lock = text("SELECT id FROM jobs WHERE id = :job FOR UPDATE")
        await connection.execute(lock, {"job": first.job})
        settled = asyncio.ensure_future(
            workshop.journal.settle(first, [event(1, EventKind.ENDED)], end)
        )
        await workshop.journal.write(first, [event(2)])
        assert await workshop.journal.settle(second, [event(1)], end) == []
        assert not settled.done()
    assert await settled == []
    assert await workshop.phase(first.job) is Phase.COMPLETE


async def test_who_reads_and_then_writes_loses_nothing(
    workshop: Workshop, other: SqlJournal
) -> None:
    """SQLite refuses to write after a read that somebody has outdated, and no patience helps."""
    await workshop.journal.enlist(crew(ME))
    job = await workshop.submit(Stock("s1", "put a"))

    async def count(database: Database) -> None:
        for _ in range(20):
            async with database.write(ME) as connection:
                await asyncio.sleep(0.001)  # the fence was read; now anybody else may come
                more = "UPDATE jobs SET seen = seen + 1 WHERE id = :job"
                await connection.execute(text(more), {"job": job})

    await asyncio.gather(count(workshop.database), count(other.database))
    assert (await workshop.row(job)).seen == 40


async def test_a_settle_of_an_older_lease_is_refused(workshop: Workshop) -> None:
    await workshop.journal.enlist(crew(ME))
    await workshop.submit(Stock("s1", "put a"))
    first = (await claimed(workshop)).lease
    await workshop.journal.retire(ME)
    await workshop.journal.enlist(crew("w-next"))
    second = await claimed(workshop, WorkerId("w-next"))
    assert second.lease.number == first.number + 1
    await workshop.journal.enlist(crew(ME))
    with pytest.raises(LeaseLost):
        await workshop.journal.settle(first, [], End(Phase.COMPLETE, 100.0))


async def test_a_waiter_is_let_go_whoever_ends_first(workshop: Workshop, other: SqlJournal) -> None:
    """Two end at once, and a third waits for both: the later one sees that both are over."""
    await workshop.journal.enlist(crew(ME))
    await other.enlist(crew("w-other"))
    for round in range(10):
        await workshop.submit(Stock(f"a{round}/x", "put a"))
        await workshop.submit(Stock(f"b{round}/x", "put b"))
        one = (await claimed(workshop)).lease
        (two,) = await other.claim(crew("w-other"), ["default"], 1)
        waiter = await workshop.submit(Both(f"a{round}", "", second=f"b{round}"))
        assert await workshop.phase(waiter) is Phase.WAITING
        end = End(Phase.COMPLETE, 100.0)
        await asyncio.gather(
            workshop.journal.settle(one, [], end), other.settle(two.lease, [], end)
        )
        assert await workshop.phase(waiter) is Phase.READY
        lease = (await claimed(workshop)).lease
        await workshop.journal.settle(lease, [], end)


@EITHER
async def test_a_submit_beside_an_end_never_waits_for_ever(
    workshop: Workshop, other: SqlJournal, kind: type[Plain]
) -> None:
    await workshop.journal.enlist(crew(ME))
    for round in range(20):
        await workshop.submit(Stock(f"s{round}", "put a"))
        lease = (await claimed(workshop)).lease
        job, _ = await asyncio.gather(
            workshop.submit(kind(f"s{round}", "put b")),
            workshop.journal.settle(lease, [], End(Phase.COMPLETE, 100.0)),
        )
        assert await workshop.phase(job) is Phase.READY
        lease = (await claimed(workshop)).lease
        await workshop.journal.settle(lease, [], End(Phase.COMPLETE, 100.0))


@EITHER
async def test_conflicting_submits_see_each_other(
    workshop: Workshop, other: SqlJournal, kind: type[Plain]
) -> None:
    elsewhere = Workshop(other.database)
    for round in range(10):
        asked = [
            here.submit(kind(f"s{round}", "put a"))
            for here in (workshop, elsewhere, workshop, elsewhere)
        ]
        phases = [await workshop.phase(job) for job in await asyncio.gather(*asked)]
        assert sorted(phases) == [Phase.READY, Phase.WAITING, Phase.WAITING, Phase.WAITING]


async def test_a_job_is_tried_again_once(workshop: Workshop, other: SqlJournal) -> None:
    elsewhere = Workshop(other.database)
    workshop.shop.refusals.add("put bad")
    failed = await workshop.submit(Stock("s1", "put bad"))
    async with workshop.working():
        assert await workshop.ended(failed) == [Phase.FAILED]
    asked = [
        here.submit(Stock("s1", "put bad"), retry_of=failed, key=key)
        for here, key in ((workshop, None), (elsewhere, None), (workshop, "a"), (elsewhere, "b"))
    ]
    results = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in results if isinstance(one, Conflict)]
    (made,) = [one for one in results if isinstance(one, int)]
    assert [one.job for one in refused] == [made] * 3
    assert (await workshop.row(failed)).retried_by == made


@EITHER
async def test_who_has_waited_for_the_line_sees_it_as_it_is_then(
    workshop: Workshop, other: SqlJournal, kind: type[Plain]
) -> None:
    """The second of two submits finds the first, also where it began before that was there."""
    gate = workshop.shop.gates["reserve"] = asyncio.Event()
    first = asyncio.ensure_future(workshop.submit(Pondered("s1", "put a")))
    await until(lambda: workshop.shop.acts)
    second = asyncio.ensure_future(Workshop(other.database).submit(kind("s1", "put b")))
    finished, _ = await asyncio.wait({second}, timeout=0.3)
    assert not finished
    gate.set()
    assert await workshop.phase(await first) is Phase.READY
    assert await workshop.phase(await second) is Phase.WAITING


async def test_an_end_that_has_waited_for_the_line_lets_go_who_came_meanwhile(
    workshop: Workshop, other: SqlJournal
) -> None:
    """Else he would wait for ever, for a job that is over."""
    await other.enlist(crew("w-other"))
    await workshop.submit(Stock("s1", "put a", name="corner"))
    (one,) = await other.claim(crew("w-other"), ["default"], 1)
    gate = workshop.shop.gates["reserve"] = asyncio.Event()
    waiter = asyncio.ensure_future(workshop.submit(Pondered("s1", "put b")))
    await until(lambda: workshop.shop.acts)
    end = asyncio.ensure_future(other.settle(one.lease, [], End(Phase.COMPLETE, 100.0)))
    finished, _ = await asyncio.wait({end}, timeout=0.3)
    assert not finished
    gate.set()
    assert [nudge.job for nudge in await end or []] == [await waiter]
    assert await workshop.phase(await waiter) is Phase.READY


async def test_quota_holds_across_processes(workshop: Workshop, other: SqlJournal) -> None:
    elsewhere = Workshop(other.database)
    asked = [
        here.submit(Stock(f"{side}{n}", "put a", quota=10))
        for n in range(10)
        for side, here in (("a", workshop), ("b", elsewhere))
    ]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, OverLimit) for one in results) == 10


async def test_a_cancel_and_a_point_of_no_return_exclude_each_other(
    workshop: Workshop, other: SqlJournal
) -> None:
    await workshop.journal.enlist(crew(ME))
    promises = set()
    for round in range(20):
        await workshop.submit(Stock(f"s{round}", "put a"))
        lease = (await claimed(workshop)).lease
        cancel = other.cancel(lease.job, Asker("anna"), None)
        passing = workshop.journal.pass_no_return(lease)
        refused, passed = await asyncio.gather(cancel, passing, return_exceptions=True)
        assert isinstance(refused, Exception) == passed
        promises.add(passed)
        end = End(Phase.COMPLETE if passed else Phase.CANCELLED, 100.0)
        assert await workshop.journal.settle(lease, [], end) is not None
    assert promises <= {True, False}


async def test_what_was_cancelled_does_not_complete(workshop: Workshop) -> None:
    await workshop.journal.enlist(crew(ME))
    await workshop.submit(Stock("s1", "put a"))
    lease = (await claimed(workshop)).lease
    await workshop.journal.cancel(lease.job, Asker("anna"), None)
    told = [event(1, EventKind.ENDED)]
    assert await workshop.journal.settle(lease, told, End(Phase.COMPLETE, 100.0)) is None
    assert await workshop.kinds(lease.job) == []
    assert await workshop.journal.cancelled([lease.job]) == {lease.job}


@pytest.mark.parametrize("by", ["cancel", "final"])
async def test_who_waits_for_his_next_try_is_nudged_when_he_is_stopped(
    workshop: Workshop, by: str
) -> None:
    await workshop.journal.enlist(crew(ME))
    job = await workshop.submit(Stock("s1", "put a"))
    lease = (await claimed(workshop)).lease
    await workshop.journal.settle(lease, [], End(Phase.RETRYING, None, due=3600.0))
    if by == "cancel":
        nudges = await workshop.journal.cancel(job, Asker("anna"), None)
    else:
        nudges = (await workshop.ask(Clear("s1", ""))).nudges
    assert [nudge.job for nudge in nudges] == [job]
    assert (await claimed(workshop)).cancelled


async def test_events_sent_twice_stand_once(workshop: Workshop) -> None:
    await workshop.journal.enlist(crew(ME))
    await workshop.submit(Stock("s1", "put a"))
    lease = (await claimed(workshop)).lease
    hot, group = workshop.journal.flusher.hot, [Entry(lease, [event(1), event(2)])]
    await hot.flush(ME, group)
    await hot.flush(ME, group, again=True)
    assert await workshop.kinds(lease.job) == ["log", "log"]
    with pytest.raises((asyncpg.UniqueViolationError, sqlite3.IntegrityError)):
        await hot.flush(ME, group)  # nobody has sent them before, as far as he knows


async def test_any_text_can_be_told(workshop: Workshop) -> None:
    """A NUL in a log line has aborted a whole group elsewhere."""
    await workshop.journal.enlist(crew(ME))
    await workshop.submit(Stock("s1", "put a"))
    lease = (await claimed(workshop)).lease
    odd = "nul \x00, half a pair \ud800, snow \u2603"
    await workshop.journal.write(lease, [event(1, text=odd)])
    await workshop.journal.retire(ME)
    await workshop.journal.enlist(crew(ME))
    assert (await claimed(workshop)).events[0].detail["text"] == odd


async def test_claims_that_come_to_nothing_are_counted(workshop: Workshop) -> None:
    await workshop.submit(Stock("s1", "put a"))
    for expected in (1, 2, 3):
        await workshop.journal.enlist(crew(ME))
        assert (await claimed(workshop)).crashes == expected
        await workshop.journal.retire(ME)
    await workshop.journal.enlist(crew(ME))
    lease = (await claimed(workshop)).lease
    await workshop.journal.write(lease, [event(1, EventKind.PLANNED)])
    await workshop.journal.retire(ME)
    await workshop.journal.enlist(crew(ME))
    assert (await claimed(workshop)).crashes == 1  # it got somewhere since
    for number, expected in ((2, 2), (3, 3)):  # to have begun once more is no progress
        await workshop.journal.retire(ME)
        await workshop.journal.enlist(crew(ME))
        again = await claimed(workshop)
        assert again.crashes == expected
        await workshop.journal.write(again.lease, [event(number, EventKind.BEGUN)])


async def test_a_poisonous_job_is_set_aside(workshop: Workshop) -> None:
    job = await workshop.submit(Stock("s1", "put a"))
    for _ in range(5):
        await workshop.journal.enlist(crew(ME))
        await claimed(workshop)
        await workshop.journal.retire(ME)
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.BURIED]
    assert "died 5 times" in (await workshop.row(job)).trouble
    assert workshop.shop.acts == []


async def test_a_job_is_handed_over_when_its_worker_leaves(workshop: Workshop) -> None:
    gate = workshop.shop.gates["put b"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "put a; put b; put c"))
    async with workshop.working() as (worker,):
        await until(lambda: "put b" in workshop.shop.acts)
        worker.stop()
        gate.set()
    assert (await workshop.row(job)).worker is None
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert workshop.shop.acts == ["put a", "put b", "put c"]


async def test_a_worker_that_is_cut_off_counts_no_try(workshop: Workshop) -> None:
    workshop.shop.gates["put a"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "put a"))
    async with workshop.working() as (worker,):
        await until(lambda: workshop.shop.acts)
        worker.stop()
        worker.stop()
    assert (await workshop.kinds(job))[-1] == "interrupted"
    del workshop.shop.gates["put a"]
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    row = await workshop.row(job)
    assert [step.tries for step in past_of(row.history)] == [1]


async def test_steps_are_pruned_and_a_history_stays(workshop: Workshop) -> None:
    workshop.shop.refusals.add("put bad")
    good = await workshop.submit(Stock("s1", "put a; put b"))
    bad = await workshop.submit(Stock("s2", "put bad"))
    async with workshop.working():
        await workshop.ended(good, bad)
    await workshop.journal.prune(0, 1000)
    assert await workshop.kinds(good) == []
    assert await workshop.kinds(bad) != []
    row = await workshop.row(good)
    assert row.percent == 100.0
    assert row.history.count("Put") >= 2
    await workshop.journal.prune(0, 0)
    async with workshop.database.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM jobs"))).scalar_one() == 0


async def test_a_claim_that_was_lost_on_its_way_is_given_back(workshop: Workshop) -> None:
    """Its commit went through and its answer did not: the job is ours and nobody runs it."""
    await workshop.journal.enlist(crew(ME))
    for name in ("s1", "s2"):
        await workshop.submit(Stock(name, "put a"))
    held, lost = (await claimed(workshop)).lease, (await claimed(workshop)).lease
    freed = await workshop.journal.disown(ME, [held, Lease(ME, lost.job, 0)])
    assert [nudge.job for nudge in freed] == [lost.job]
    assert (await claimed(workshop)).lease == Lease(ME, lost.job, lost.number + 1)


async def test_whoever_has_ended_stands_in_no_line(workshop: Workshop) -> None:
    """However it ended; what is pruned later leaves nothing behind."""
    journal, asker = workshop.journal, Asker("anna")
    workshop.shop.refusals |= {"sell a", "put bad"}
    ended = [await workshop.submit(one) for one in (Plain("s1", "put a"), Stock("s2", "put bad"))]
    named = await workshop.submit(Stock("s3", "put c", name="corner"))
    cancelled = await workshop.submit(Plain("s4", "put d"), delay=3600)
    await workshop.cancel(cancelled)
    superseded = await workshop.submit(Plain("s5", "put e"), delay=3600)
    final = await workshop.submit(Clear("s5", "put f"))
    buried = await workshop.submit(Stock("s6", "sell a"))
    async with workshop.working():
        await workshop.ended(*ended, named, superseded, final, buried)
    await journal.discard(buried, asker, "given up")
    async with workshop.database.read() as connection:
        assert (await connection.execute(text("SELECT * FROM scopes"))).all() == []
    await journal.prune(0, 0)
    assert await workshop.phases() == {}


async def altered(workshop: Workshop, job: JobId, **columns: object) -> None:
    """A job's row as something that we cannot do here would have left it."""
    async with workshop.database.write() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job).values(**columns))


async def forgotten(workshop: Workshop, job: JobId) -> None:
    """Its claim is undone, as by a crash of the server before the claim was on the disk."""
    await altered(workshop, job, lease=0, worker=None, claimable=True, phase=Phase.READY)


async def astray(workshop: Workshop, worker: WorkerId | None, job: JobId) -> None:
    """This job is a worker's by its row, as if the answer to a claim had been lost."""
    await altered(workshop, job, lease=1, worker=worker, claimable=False, phase=Phase.RUNNING)


async def test_who_has_lost_his_claim_writes_nothing(
    forgetful: Workshop, other: SqlJournal
) -> None:
    """Even under the same number as whoever has it now; what else is written then is."""
    await forgetful.journal.enlist(crew(ME))
    await other.enlist(crew("w-other"))
    lost, kept = [await forgetful.submit(Plain(shop, "put a")) for shop in ("s1", "s2")]
    both = await forgetful.journal.claim(crew(ME), ["default"], 2)
    mine = {one.lease.job: one.lease for one in both}
    await forgotten(forgetful, lost)
    (theirs,) = await other.claim(crew("w-other"), ["default"], 1)
    assert theirs.lease.number == mine[lost].number
    for number in (1, 2):
        writes = [forgetful.journal.write(mine[job], [event(number)]) for job in (lost, kept)]
        refused, written = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(refused, LeaseLost)
        assert written is True
    with pytest.raises(LeaseLost):
        await forgetful.journal.pass_no_return(mine[lost])
    assert await forgetful.kinds(lost) == []
    last = Event(1, EventKind.ENDED, None, time.time(), {})
    assert await other.settle(theirs.lease, [last], End(Phase.COMPLETE, 100.0)) == []
    for end in (End(Phase.FAILED, 100.0), End(Phase.RETRYING, None, due=0.0)):
        with pytest.raises(LeaseLost):
            await forgetful.journal.settle(mine[lost], [replaced(last)], end)
    assert await forgetful.kinds(lost) == ["ended"]
    assert await forgetful.kinds(kept) == ["log", "log"]


def replaced(last: Event) -> Event:
    """What another would have written in its place."""
    return Event(last.number, last.kind, None, last.at + 1, {})


async def test_a_claim_that_holds_vouches_for_none_that_was_lost(
    forgetful: Workshop, other: SqlJournal
) -> None:
    """The same job under two leases of one process: each is looked at for itself."""
    journal = forgetful.journal
    for who in (ME, WorkerId("w-beside")):
        await journal.enlist(crew(who))
    await other.enlist(crew("w-other"))
    job = await forgetful.submit(Plain("s1", "put a"))
    lost = (await claimed(forgetful)).lease
    await forgotten(forgetful, job)
    beside = (await claimed(forgetful, WorkerId("w-beside"))).lease
    await journal.write(beside, [event(1)])
    with pytest.raises(LeaseLost):
        await journal.write(lost, [event(2)])
    await journal.settle(beside, [], End(Phase.RETRYING, None, due=0.0))
    again = (await claimed(forgetful)).lease
    writes = [journal.write(lease, [event(2)]) for lease in (lost, again)]
    refused, written = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(refused, LeaseLost)
    assert written is True
    end = End(Phase.COMPLETE, 100.0)
    ends = [journal.settle(lease, [event(3)], end) for lease in (lost, again)]
    refused, written = await asyncio.gather(*ends, return_exceptions=True)
    assert isinstance(refused, LeaseLost)
    assert written == []
    assert await forgetful.kinds(job) == ["log"] * 3
    await forgetful.submit(Plain("s2", "put a"))
    dropped = (await claimed(forgetful)).lease
    assert [nudge.job for nudge in await journal.disown(ME, [])] == [dropped.job]
    assert journal.flusher.unsure == set()


async def test_of_a_claim_that_was_written_under_nothing_is_kept_in_mind(
    forgetful: Workshop,
) -> None:
    asked = [await forgetful.submit(Stock(f"s{n}", "put a;sell b", name=f"n{n}")) for n in range(9)]
    asked += [await forgetful.submit(Plain(f"p{n}", "put a; put b")) for n in range(9)]
    async with forgetful.working():
        await forgetful.ended(*asked)
    assert forgetful.journal.flusher.unsure == set()


async def test_a_claim_that_was_lost_and_made_again_is_run_once(forgetful: Workshop) -> None:
    gate = forgetful.shop.gates["weigh"] = asyncio.Event()
    job, lost = [await forgetful.submit(one) for one in (Weighed("s1", "put a"), ASTRAY)]
    await astray(forgetful, None, lost)
    async with forgetful.working() as [worker]:
        await until(lambda: forgetful.shop.acts)
        await astray(forgetful, worker.crew.id, lost)
        await forgotten(forgetful, job)

        async def made_again() -> bool:
            return (await forgetful.row(job)).worker == worker.crew.id

        await until(made_again)
        gate.set()
        assert await forgetful.ended(job, lost) == [Phase.COMPLETE] * 2
    assert forgetful.shop.acts == ["weigh", "put a", "put astray"]


async def test_a_job_whose_claim_was_lost_goes_on_elsewhere(
    forgetful: Workshop, other: SqlJournal
) -> None:
    gate = forgetful.shop.gates["weigh"] = asyncio.Event()
    job, lost = [await forgetful.submit(one) for one in (Weighed("s1", "put a"), ASTRAY)]
    await astray(forgetful, None, lost)
    async with forgetful.working(slots=1) as [worker]:
        await until(lambda: forgetful.shop.acts)
        await astray(forgetful, worker.crew.id, lost)
        await other.enlist(crew("w-other"))
        await forgotten(forgetful, job)
        assert await other.claim(crew("w-other"), ["default"], 1)
        gate.set()
        assert await forgetful.ended(lost) == [Phase.COMPLETE]
        assert forgetful.shop.acts == ["weigh", "put astray"]
        await other.retire(WorkerId("w-other"))
        assert await forgetful.ended(job) == [Phase.COMPLETE]
    assert forgetful.shop.acts == ["weigh", "put astray", "weigh", "put a"]


async def test_a_cancel_in_the_last_stage_leaves_no_gap(workshop: Workshop) -> None:
    gate = workshop.shop.gates["put a"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "put a"))
    async with workshop.working():
        await until(lambda: workshop.shop.acts)
        await workshop.journal.cancel(job, Asker("anna"), None)
        gate.set()
        await workshop.ended(job)
    async with workshop.database.read() as connection:
        told = await connection.execute(events.select().where(events.c.job == job))
        numbers = sorted(event.number for row in told for event in events_of(row))
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_worker_claims_only_what_it_can_do(workshop: Workshop) -> None:
    await workshop.submit(Stock("s1", "put a"))
    await workshop.submit(Elsewhere("s2", "put b"))
    able = crew(ME)
    await workshop.journal.enlist(able)
    old = replace(able, skills=frozenset({"stock:0", "node:far"}))
    assert await workshop.journal.claim(old, ["default"], 10) == []
    (here,) = await workshop.journal.claim(able, ["default"], 10)
    assert here.kind == "stock"
    there = replace(able, skills=able.skills | {"node:far"})
    (far,) = await workshop.journal.claim(there, ["default"], 10)
    assert far.kind == "elsewhere"


async def test_a_job_whose_record_cannot_be_read_is_buried(workshop: Workshop) -> None:
    """One bad job must not end the worker of all the others."""
    await workshop.journal.enlist(crew(ME))
    job = await workshop.submit(Stock("s1", "put a"))
    lease = (await claimed(workshop)).lease
    odd = Event(1, EventKind.BEGUN, 7, time.time())
    await workshop.journal.write(lease, [odd])
    await workshop.journal.retire(ME)
    good = await workshop.submit(Stock("s2", "put b"))
    async with workshop.working():
        assert await workshop.ended(job, good) == [Phase.BURIED, Phase.COMPLETE]


async def overdue(workshop: Workshop, job: JobId) -> None:
    """The time for this job's next try has come."""
    await altered(workshop, job, phase=Phase.RETRYING, claimable=False, due=1.0)


async def test_housekeeping_leaves_what_is_locked_to_those_who_have_it(
    workshop: Workshop, other: SqlJournal
) -> None:
    """It would wait for them while they wait for another row of its."""
    if workshop.database.dialect == "sqlite":
        pytest.skip("one writes at a time")
    first, second = [await workshop.submit(Stock(f"s{n}", "put a")) for n in range(2)]
    for job in (first, second):
        await overdue(workshop, job)
    async with workshop.database.write() as connection:
        await connection.execute(
            text("SELECT id FROM jobs WHERE id = :job FOR UPDATE"), {"job": first}
        )
        async with asyncio.timeout(30):
            assert [nudge.job for nudge in await other.wake()] == [second]
    assert [nudge.job for nudge in await other.wake()] == [first]


async def test_more_is_woken_than_fits_into_a_batch(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "BATCH", 2)
    asked = [await workshop.submit(Stock(f"s{n}", "put a")) for n in range(5)]
    for job in asked:
        await overdue(workshop, job)
    assert {nudge.job for nudge in await workshop.journal.wake()} == set(asked)
    assert await workshop.journal.wake() == []


async def test_what_reserves_nothing_takes_its_place_in_line(workshop: Workshop) -> None:
    first = await workshop.submit(Plain("s1", "put a"))
    again = await workshop.submit(Plain("s1", "put b"))
    elsewhere = await workshop.submit(Plain("s2", "put c"))
    assert [await workshop.phase(job) for job in (first, again, elsewhere)] == [
        Phase.READY,
        Phase.WAITING,
        Phase.READY,
    ]
    async with workshop.working():
        await until(lambda: len(workshop.shop.acts) == 3)
    assert workshop.shop.acts.index("put a") < workshop.shop.acts.index("put b")
