"""A job's life, on both datastores: done, tried again, taken back, set aside, cancelled."""

import asyncio

import pytest

from conftest import until
from engine.shop import Clear, Stock, Workshop
from windlass.engine.job import Phase
from windlass.engine.steplog import RESULT, end_of
from windlass.errors import Conflict, OverLimit, Refused, Taken, TooMany
from windlass.store.access import Access
from windlass.store.jobs import Jobs


async def test_a_job_is_done_stage_by_stage(workshop: Workshop) -> None:
    job = await workshop.submit(Stock("s1", "put a, put b; put c; sell a"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert sorted(workshop.shop.acts[:2]) == ["put a", "put b"]
    assert workshop.shop.acts[2:] == ["put c", "sell a"]
    row = await workshop.row(job)
    assert row.percent == 100.0
    assert await workshop.leftovers() == (0, 0)


async def test_an_empty_plan_is_complete(workshop: Workshop) -> None:
    job = await workshop.submit(Stock("s1", ""))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert (await workshop.row(job)).percent == 100.0


async def test_a_failing_step_is_tried_again(workshop: Workshop) -> None:
    workshop.shop.faults["put a"] = 2
    job = await workshop.submit(Stock("s1", "put a"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert workshop.shop.acts == ["put a"] * 3
    assert (await workshop.kinds(job)).count("failed") == 2


async def test_a_refused_step_is_not_tried_again_and_everything_is_taken_back(
    workshop: Workshop,
) -> None:
    workshop.shop.refusals.add("put c")
    job = await workshop.submit(Stock("s1", "put a; put b; put c; put d", name="corner"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.FAILED]
    acts = ["put a", "put b", "put c", "take c", "take b", "take a"]
    assert workshop.shop.acts == acts
    assert workshop.shop.shelf == {}
    assert await workshop.leftovers() == (0, 0)
    row = await workshop.row(job)
    assert "put c is refused" in row.trouble
    assert row.percent == 0.0


async def test_when_one_of_a_stage_fails_its_siblings_are_ended_and_undone(
    workshop: Workshop,
) -> None:
    workshop.shop.gates["put slow"] = asyncio.Event()
    workshop.shop.refusals.add("put b")
    job = await workshop.submit(Stock("s1", "put slow, put b"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.FAILED]
    assert sorted(workshop.shop.acts[2:]) == ["take b", "take slow"]


async def test_a_try_that_takes_too_long_is_ended(workshop: Workshop) -> None:
    workshop.shop.gates["put a"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "slow a"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.FAILED]
    assert "longer than 0.05" in (await workshop.row(job)).trouble


async def test_undo_that_is_used_up_is_buried_and_keeps_its_place(workshop: Workshop) -> None:
    workshop.shop.refusals |= {"put b", "take a"}
    job = await workshop.submit(Stock("s1", "put a; put b"))
    behind = await workshop.submit(Stock("s1", "put c"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.BURIED]
        assert await workshop.phase(behind) is Phase.WAITING


async def test_past_a_one_way_step_there_is_no_way_back(workshop: Workshop) -> None:
    workshop.shop.refusals.add("put b")
    job = await workshop.submit(Stock("s1", "sell a; put b"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.BURIED]
    assert workshop.shop.acts == ["sell a", "put b"]


async def test_a_long_wait_gives_the_slot_back(workshop: Workshop) -> None:
    workshop.shop.faults["put a"] = 1
    job = await workshop.submit(Stock("s1", "waiting a"))
    other = await workshop.submit(Stock("s2", "put b"))
    async with workshop.working(slots=1):
        assert await workshop.ended(other) == [Phase.COMPLETE]
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert workshop.shop.acts[:2] == ["put a", "put b"]


async def test_what_cannot_be_elaborated_has_touched_nothing(workshop: Workshop) -> None:
    job = await workshop.submit(Stock("s1", "sell a, put b"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.FAILED]
    assert workshop.shop.acts == []


async def test_conflicting_jobs_go_in_the_order_asked(workshop: Workshop) -> None:
    jobs = [await workshop.submit(Stock("s1", f"put i{n}")) for n in range(20)]
    beside = await workshop.submit(Stock("s2", "put z"))
    async with workshop.working(workers=2):
        assert set(await workshop.ended(*jobs, beside)) == {Phase.COMPLETE}
    mine = [act for act in workshop.shop.acts if act != "put z"]
    assert mine == [f"put i{n}" for n in range(20)]


async def test_an_outer_scope_waits_for_inner_ones_and_keeps_later_ones_waiting(
    workshop: Workshop,
) -> None:
    one = await workshop.submit(Stock("s1/a", "put a"))
    two = await workshop.submit(Stock("s1/b", "put b"))
    outer = await workshop.submit(Stock("s1", "put all"))
    late = await workshop.submit(Stock("s1/c", "put c"))
    phases = [await workshop.phase(job) for job in (one, two, outer, late)]
    assert phases == [Phase.READY, Phase.READY, Phase.WAITING, Phase.WAITING]
    async with workshop.working():
        await workshop.ended(one, two, outer, late)
    assert sorted(workshop.shop.acts[:2]) == ["put a", "put b"]
    assert workshop.shop.acts[2:] == ["put all", "put c"]


async def test_a_queued_job_is_cancelled_at_once(workshop: Workshop) -> None:
    job = await workshop.submit(Stock("s1", "put a", name="corner"))
    behind = await workshop.submit(Stock("s1", "put b"))
    await workshop.cancel(job)
    assert await workshop.phase(job) is Phase.CANCELLED
    assert await workshop.phase(behind) is Phase.READY
    with pytest.raises(Conflict):
        await workshop.cancel(job)


async def test_a_running_job_is_cancelled_at_the_next_boundary(workshop: Workshop) -> None:
    gate = workshop.shop.gates["put b"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "put a; put b; put c"))
    async with workshop.working():
        await until(lambda: "put b" in workshop.shop.acts)
        await workshop.cancel(job)
        gate.set()
        assert await workshop.ended(job) == [Phase.CANCELLED]
    assert workshop.shop.shelf == {}


async def test_a_cancel_during_the_last_stage_still_counts(workshop: Workshop) -> None:
    gate = workshop.shop.gates["put a"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "put a"))
    async with workshop.working():
        await until(lambda: workshop.shop.acts)
        await workshop.cancel(job)
        gate.set()
        assert await workshop.ended(job) == [Phase.CANCELLED]
    assert workshop.shop.shelf == {}


async def test_past_the_point_of_no_return_a_cancel_is_refused(workshop: Workshop) -> None:
    gate = workshop.shop.gates["sell a"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "sell a; put b"))
    async with workshop.working():
        await until(lambda: workshop.shop.acts)
        with pytest.raises(Conflict, match="no return"):
            await workshop.cancel(job)
        gate.set()
        assert await workshop.ended(job) == [Phase.COMPLETE]


async def test_a_cancel_ends_a_wait(workshop: Workshop) -> None:
    workshop.shop.faults["put a"] = 3
    job = await workshop.submit(Stock("s1", "waiting a"))
    async with workshop.working():
        await until(lambda: workshop.shop.acts)
        await workshop.cancel(job)
        assert await workshop.ended(job) == [Phase.CANCELLED]


async def test_names_are_unique_and_given_back_by_failure(workshop: Workshop) -> None:
    workshop.shop.refusals.add("put a")
    job = await workshop.submit(Stock("s1", "put a", name="corner"))
    with pytest.raises(Taken):
        await workshop.submit(Stock("s2", "put b", name="corner"))
    async with workshop.working():
        await workshop.ended(job)
    await workshop.submit(Stock("s2", "put b", name="corner"))


async def test_quota_holds_when_many_ask_at_once(workshop: Workshop) -> None:
    asked = [workshop.submit(Stock(f"s{n}", "put a", quota=5)) for n in range(12)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, OverLimit) for one in results) == 7
    assert sum(isinstance(one, int) for one in results) == 5


async def test_what_is_refused_at_the_door_makes_no_job(workshop: Workshop) -> None:
    with pytest.raises(Refused, match="nonsense"):
        await workshop.submit(Stock("s1", "nonsense"))
    assert await workshop.leftovers() == (0, 0)


async def test_a_final_job_closes_what_is_before_it(workshop: Workshop) -> None:
    gate = workshop.shop.gates["put a"] = asyncio.Event()
    running = await workshop.submit(Stock("s1", "put a; put b"))
    async with workshop.working():
        await until(lambda: workshop.shop.acts)
        queued = await workshop.submit(Stock("s1", "put c"))
        clear = await workshop.submit(Clear("s1", "put x"))
        assert await workshop.phase(queued) is Phase.CANCELLED
        assert await workshop.submit(Clear("s1", "put x")) == clear
        gate.set()
        assert await workshop.ended(running, clear) == [Phase.CANCELLED, Phase.COMPLETE]


async def test_a_final_job_closes_a_buried_one(workshop: Workshop) -> None:
    workshop.shop.refusals |= {"put b", "take a"}
    job = await workshop.submit(Stock("s1", "put a; put b", name="corner"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.BURIED]
        clear = await workshop.submit(Clear("s1", "put x"))
        assert await workshop.ended(clear) == [Phase.COMPLETE]
    assert await workshop.phase(job) is Phase.FAILED
    assert await workshop.leftovers() == (1, 0)  # the name is the shop's, to be given up with it


async def test_a_second_final_job_closes_a_buried_first(workshop: Workshop) -> None:
    workshop.shop.refusals |= {"put x", "take x"}
    first = await workshop.submit(Clear("s1", "put x"))
    async with workshop.working():
        assert await workshop.ended(first) == [Phase.BURIED]
        workshop.shop.refusals.clear()
        second = await workshop.submit(Clear("s1", "put x"))
        assert await workshop.ended(second) == [Phase.COMPLETE]
    assert await workshop.phase(first) is Phase.FAILED


async def test_who_waits_lends_his_priority(workshop: Workshop) -> None:
    slow = await workshop.submit(Stock("a", "put a"), priority=500)
    await workshop.submit(Stock("b", "put b"))
    await workshop.submit(Stock("a", "put c"), priority=0)
    assert (await workshop.row(slow)).priority == 0
    async with workshop.working(slots=1):
        await until(lambda: len(workshop.shop.acts) == 3)
    assert workshop.shop.acts == ["put a", "put c", "put b"]


async def test_a_sibling_keeps_its_own_delay(workshop: Workshop) -> None:
    """One step of a stage is done later than its sibling's next try: each waits for its own."""
    workshop.shop.faults["put a"] = 1
    workshop.shop.faults["put b"] = 1
    job = await workshop.submit(Stock("s1", "waiting a, put b"))
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert workshop.shop.acts.count("put a") == 2
    assert workshop.shop.acts.count("put b") == 2


async def test_a_line_is_bounded(workshop: Workshop) -> None:
    for n in range(100):
        await workshop.submit(Stock("s1", f"put i{n}"))
    with pytest.raises(TooMany):
        await workshop.submit(Stock("s1", "put more"))
    await workshop.submit(Clear("s1", "put x"))


async def test_one_key_is_one_job(workshop: Workshop) -> None:
    asked = [workshop.submit(Stock("s1", "put a"), key="k") for _ in range(5)]
    assert len(set(await asyncio.gather(*asked))) == 1
    with pytest.raises(Refused, match="Idempotency-Key"):
        await workshop.submit(Stock("s1", "put b"), key="k")


async def test_a_delayed_job_joins_the_line_when_it_is_due(workshop: Workshop) -> None:
    late = await workshop.submit(Stock("s1", "put late"), delay=0.3)
    first = await workshop.submit(Stock("s1", "put first"))
    assert await workshop.phase(late) is Phase.DELAYED
    async with workshop.working():
        assert await workshop.ended(late, first) == [Phase.COMPLETE] * 2
    assert workshop.shop.acts == ["put first", "put late"]


async def test_what_is_delayed_is_closed_with_what_it_is_about(workshop: Workshop) -> None:
    """It would work on what was taken away meanwhile."""
    late = await workshop.submit(Stock("s1/a", "put late", name="corner"), delay=3600)
    deeper = await workshop.submit(Stock("s1/a/b", "put deep"), delay=3600)
    final = await workshop.submit(Clear("s1/a", "put x"), delay=3600)
    others = [await workshop.submit(Stock(s, "put c"), delay=3600) for s in ("s1", "s1/c", "s2")]
    clear = await workshop.submit(Clear("s1/a", "put y"))
    assert clear != final
    for job in (late, deeper, final):
        assert await workshop.phase(job) is Phase.CANCELLED
        assert f"superseded by job {clear}" in (await workshop.row(job)).trouble
    assert [await workshop.phase(job) for job in others] == [Phase.DELAYED] * 3
    holds, _ = await workshop.leftovers()
    assert holds == 0
    for job in others:
        await workshop.cancel(job)
    async with workshop.working():
        assert await workshop.ended(clear) == [Phase.COMPLETE]
    assert await workshop.leftovers() == (0, 0)


async def test_a_delayed_end_comes_when_it_is_due(workshop: Workshop) -> None:
    """Until then nothing is closed; then all that was asked before it is."""
    sooner = await workshop.submit(Stock("s1/a", "put a"))
    final = await workshop.submit(Clear("s1/a", ""), delay=0.01)
    assert await workshop.phase(sooner) is Phase.READY
    later = await workshop.submit(Stock("s1/a", "put b"), delay=3600)
    await until(workshop.journal.wake)
    assert await workshop.phase(sooner) is Phase.CANCELLED
    assert await workshop.phase(later) is Phase.CANCELLED
    async with workshop.working():
        assert await workshop.ended(final) == [Phase.COMPLETE]
    assert workshop.shop.acts == []


async def test_one_owners_burst_delays_another_by_a_turn(workshop: Workshop) -> None:
    for n in range(50):
        await workshop.submit(Stock(f"a{n}", f"put a{n}"), owner="anna")
    await workshop.submit(Stock("b", "put b"), owner="ben")
    async with workshop.working(slots=1):
        await until(lambda: "put b" in workshop.shop.acts)
    assert workshop.shop.acts.index("put b") <= 2


async def test_a_smaller_priority_goes_first(workshop: Workshop) -> None:
    await workshop.submit(Stock("a", "put a"))
    await workshop.submit(Stock("b", "put b"), priority=0)
    async with workshop.working(slots=1):
        await until(lambda: len(workshop.shop.acts) == 2)
    assert workshop.shop.acts == ["put b", "put a"]


async def test_a_cancel_ends_a_mere_wait(workshop: Workshop) -> None:
    workshop.shop.gates["put b"] = asyncio.Event()  # it never opens
    job = await workshop.submit(Stock("s1", "put a; idle b"))
    async with workshop.working():
        await until(lambda: "put b" in workshop.shop.acts)
        await workshop.cancel(job)
        assert await workshop.ended(job) == [Phase.CANCELLED]
    assert workshop.shop.shelf == {}


async def test_a_worker_that_leaves_ends_a_mere_wait(workshop: Workshop) -> None:
    workshop.shop.gates["put b"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "put a; idle b"))
    async with workshop.working():
        await until(lambda: "put b" in workshop.shop.acts)
    assert (await workshop.kinds(job))[-1] == "interrupted"
    del workshop.shop.gates["put b"]
    async with workshop.working():
        assert await workshop.ended(job) == [Phase.COMPLETE]
    assert workshop.shop.acts == ["put a", "put b", "put b"]


async def test_what_a_step_leaves_is_its_last_try_s_and_outlives_its_events(
    workshop: Workshop,
) -> None:
    workshop.shop.faults["tell a"] = 1
    job = await workshop.submit(Stock("s1", "put z, tell a; idle-tell b"))
    async with workshop.working():
        await workshop.ended(job)
    jobs = Jobs(Access(workshop.database))
    for _ in range(2):
        view = await jobs.get(job)
        assert view is not None
        left = [step.result for step in view.steps]
        assert left[0] is None
        assert left[1:] == ["a is told by 2", "b is told by 3"]
        await workshop.journal.prune(0, 1000)


def test_of_a_long_result_the_end_stays() -> None:
    text = "é" * RESULT + "the end"
    kept = end_of(text)
    assert len(kept.encode()) <= RESULT
    assert kept.startswith("[...]\n")
    assert kept.endswith("éthe end")
    assert end_of("short") == "short"
