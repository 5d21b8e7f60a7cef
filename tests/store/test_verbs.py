"""The operator's verbs on jobs that were buried, on both datastores."""

import asyncio

import pytest
from sqlalchemy import text

from conftest import until
from engine.shop import Stock, Workshop
from windlass.engine.job import Asker, Phase
from windlass.engine.lease import JobId
from windlass.engine.ringing import ring
from windlass.errors import Conflict, NotFound
from windlass.store.access import Access
from windlass.store.jobs import Filter, Jobs

OPERATOR = Asker("operator")


async def buried(workshop: Workshop, acts: str, *refusals: str) -> JobId:
    workshop.shop.refusals |= set(refusals)
    job = await workshop.submit(Stock("s1", acts, name="corner"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.BURIED]
    workshop.shop.refusals.clear()
    return job


async def crashed(workshop: Workshop, acts: str, *, cancel: bool = False) -> JobId:
    """A job that was set aside in its first step, before any point of no return."""
    first = acts.partition(";")[0]
    workshop.shop.gates[first] = asyncio.Event()
    job = await workshop.submit(Stock("s1", acts))
    async with workshop.working() as (worker,):
        await until(lambda: workshop.shop.acts)
        worker.stop()
        worker.stop()
    for _ in range(5):
        dying = workshop.worker()
        await workshop.journal.enlist(dying.crew)
        await workshop.journal.claim(dying.crew, ["default"], 1)
        if cancel:
            await workshop.cancel(job)
        await workshop.journal.retire(dying.crew.id)
    del workshop.shop.gates[first]
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.BURIED]
    return job


async def test_a_kicked_job_goes_on_where_it_was(workshop: Workshop) -> None:
    job = await buried(workshop, "sell a; put b; put c", "put b")
    await ring(workshop.queue, await workshop.journal.kick(job, OPERATOR, "mended"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert workshop.shop.acts == ["sell a", "put b", "put b", "put c"]


async def test_a_job_that_was_being_taken_back_is_kicked_backwards(workshop: Workshop) -> None:
    job = await buried(workshop, "put a; put b", "put b", "take a")
    await workshop.journal.kick(job, OPERATOR, "mended")
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.FAILED]
    assert workshop.shop.shelf == {}
    assert await workshop.leftovers() == (0, 0)


async def test_a_skipped_step_counts_as_done(workshop: Workshop) -> None:
    job = await buried(workshop, "sell a; put b; put c", "put b")
    await workshop.journal.skip(job, OPERATOR, "done by hand", 1)
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert workshop.shop.acts == ["sell a", "put b", "put c"]
    assert (await workshop.row(job)).percent == 100.0


async def test_a_step_skipped_backwards_counts_as_taken_back(workshop: Workshop) -> None:
    job = await buried(workshop, "put a; put b", "put b", "take a")
    await workshop.journal.skip(job, OPERATOR, "done by hand", 0)
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.FAILED]
    assert workshop.shop.acts.count("take a") == 1


async def test_what_is_done_cannot_be_skipped(workshop: Workshop) -> None:
    job = await buried(workshop, "sell a; put b", "put b")
    with pytest.raises(Conflict, match="is done already"):
        await workshop.journal.skip(job, OPERATOR, "", 0)
    with pytest.raises(NotFound, match="no step 7"):
        await workshop.journal.skip(job, OPERATOR, "", 7)


async def test_past_the_point_of_no_return_there_is_no_undo(workshop: Workshop) -> None:
    job = await buried(workshop, "sell a; put b", "put b")
    with pytest.raises(Conflict, match="no return"):
        await workshop.journal.undo(job, OPERATOR, "")


async def test_a_discarded_job_lets_others_go_on_and_keeps_its_holds(workshop: Workshop) -> None:
    job = await buried(workshop, "put a; put b", "put b", "take a")
    behind = await workshop.submit(Stock("s1", "put c"))
    await workshop.journal.discard(job, OPERATOR, "given up")
    assert await workshop.phase(job) is Phase.DISCARDED
    assert await workshop.phase(behind) is Phase.READY
    assert await workshop.leftovers() == (1, 1)


async def test_a_crashing_job_can_be_taken_back(workshop: Workshop) -> None:
    """It was buried on its way forward, before any point of no return."""
    job = await workshop.submit(Stock("s1", "put a"))
    for _ in range(5):
        worker = workshop.worker()
        await workshop.journal.enlist(worker.crew)
        await workshop.journal.claim(worker.crew, ["default"], 1)
        await workshop.journal.retire(worker.crew.id)
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.BURIED]
    await workshop.journal.undo(job, OPERATOR, "it will never do")
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.CANCELLED]


@pytest.mark.parametrize("verb", ["kick", "undo", "discard"])
async def test_verbs_are_for_buried_jobs(workshop: Workshop, verb: str) -> None:
    job = await workshop.submit(Stock("s1", "put a"))
    with pytest.raises(Conflict, match="is ready"):
        await getattr(workshop.journal, verb)(job, OPERATOR, "")
    with pytest.raises(NotFound):
        await getattr(workshop.journal, verb)(JobId(4711), OPERATOR, "")


async def test_a_half_done_step_is_skipped_backwards(workshop: Workshop) -> None:
    """It has begun and never took effect, and its undo fails: that is what skip is for."""
    job = await buried(workshop, "put a; put b", "put b", "take b")
    await workshop.journal.skip(job, OPERATOR, "done by hand", 1)
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.FAILED]
    assert workshop.shop.acts[-1] == "take a"


async def test_after_a_one_way_step_was_done_by_hand_there_is_no_way_back(
    workshop: Workshop,
) -> None:
    job = await crashed(workshop, "put a; sell b")
    await workshop.journal.skip(job, OPERATOR, "sold at the counter", 1)
    with pytest.raises(Conflict, match="no return"):
        await workshop.cancel(job)
    workshop.shop.refusals.add("put a")
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.BURIED]
    with pytest.raises(Conflict, match="no return"):
        await workshop.journal.undo(job, OPERATOR, "")
    workshop.shop.refusals.clear()
    await workshop.journal.kick(job, OPERATOR, "")
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert set(workshop.shop.acts) == {"put a"}


async def test_what_was_cancelled_gets_past_no_return_by_no_hand(workshop: Workshop) -> None:
    """The cancel was promised first."""
    job = await crashed(workshop, "put a; sell b", cancel=True)
    with pytest.raises(Conflict, match="was cancelled"):
        await workshop.journal.skip(job, OPERATOR, "sold at the counter", 1)
    await workshop.journal.kick(job, OPERATOR, "")
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.CANCELLED]


UNREADABLE = {
    "kind": """UPDATE events SET told = replace(told, '"done"', '"teleported"')""",
    "detail": "UPDATE events SET told = '{' WHERE kinds LIKE '%done%'",
    "shape": """UPDATE events SET told = replace(told, '"done",0', '"done",7')""",
}


@pytest.mark.parametrize("odd", UNREADABLE)
async def test_what_cannot_be_read_is_shown_and_can_be_discarded(
    workshop: Workshop, odd: str
) -> None:
    """As another version of us may have written it."""
    job = await buried(workshop, "sell a; put b", "put b")
    behind = await workshop.submit(Stock("s1", "put c"))
    async with workshop.database.write() as connection:
        await connection.execute(text(UNREADABLE[odd]))
    verbs = workshop.journal
    for act in (verbs.kick(job, OPERATOR, ""), verbs.undo(job, OPERATOR, "")):
        with pytest.raises(Conflict, match="can be discarded"):
            await act
    with pytest.raises(Conflict, match="can be discarded"):
        await verbs.skip(job, OPERATOR, "", 1)
    look = Jobs(Access(workshop.database))
    view = await look.get(job)
    assert view is not None
    assert view.phase is Phase.BURIED
    assert [one.id for one in await look.page(Filter())] == [behind, job]
    told = [event.number for event in await look.since(job, 0)]
    assert told == list(range(1, view.number + 1))
    await verbs.discard(job, OPERATOR, "nobody can read it")
    assert await workshop.phase(job) is Phase.DISCARDED
    assert await workshop.phase(behind) is Phase.READY


@pytest.mark.parametrize("odd", UNREADABLE)
async def test_what_cannot_be_read_is_buried_by_whoever_claims_it(
    workshop: Workshop, odd: str
) -> None:
    """And what is claimed with it is done."""
    job = await buried(workshop, "sell a; put b", "put b")
    await workshop.journal.kick(job, OPERATOR, "")
    async with workshop.database.write() as connection:
        await connection.execute(text(UNREADABLE[odd]))
    other = await workshop.submit(Stock("s2", "put c"))
    async with workshop.working():
        assert await workshop.ended(job, other) == [Phase.BURIED, Phase.COMPLETE]
