"""The census: what is counted, and what pruning cannot take away."""

from typing import Any

from conftest import until
from engine.shop import Stock, Workshop
from windlass.engine.job import Asker, Phase
from windlass.store.access import Access
from windlass.store.census import Census, Tally
from windlass.store.counters import BURIED, FAILING

KICK = (Asker("root"), "the cause is mended")


async def census(workshop: Workshop) -> Tally:
    return await Census(Access(workshop.database)).take()


async def test_every_living_job_is_counted_once(workshop: Workshop) -> None:
    """One of each phase that lives, and a buried one; what has ended is not counted."""
    shop = workshop.shop
    shop.refusals.add("sell x")
    shop.faults["put r"] = 9
    async with workshop.working(slots=9):
        await workshop.ended(await workshop.submit(Stock("done", "put a")))
        await workshop.ended(await workshop.submit(Stock("ruin", "sell x")))
        retrying = await workshop.submit(Stock("retrying", "waiting r"))
        await until(lambda: is_in(workshop, retrying, Phase.RETRYING))
    crew = workshop.worker().crew
    await workshop.journal.enlist(crew)
    running = await workshop.submit(Stock("s1", "put a"))
    await workshop.journal.claim(crew, ["default"], 1, running)
    await workshop.submit(Stock("s1", "put a"))
    await workshop.submit(Stock("s2", "put a"))
    await workshop.submit(Stock("s3", "put a"), delay=3600)
    tally = await census(workshop)
    phases = ["buried", "delayed", "ready", "retrying", "running", "waiting"]
    assert tally.jobs == {("default", Phase(phase)): 1 for phase in phases}
    assert 0 <= tally.ages["default"] < 600
    assert (tally.workers, tally.slots, tally.tubes) == (1, 10, {"default"})


async def is_in(workshop: Workshop, job: Any, phase: Phase) -> bool:
    row = await workshop.row(job)
    return row.phase == phase and row.worker is None


async def test_a_burial_is_counted_with_it_and_for_ever(workshop: Workshop) -> None:
    workshop.shop.refusals.add("sell x")
    job = await workshop.submit(Stock("s1", "sell x"))
    async with workshop.working(2):
        await workshop.ended(job)
        assert (await census(workshop)).counters == {(BURIED, "stock"): 1}
        await workshop.journal.kick(job, *KICK)
        await until(lambda: counts(workshop, BURIED, 2))
        await workshop.ended(job)
        await workshop.journal.discard(job, *KICK)
    await workshop.journal.prune(-1, -1)
    tally = await census(workshop)
    assert tally.jobs == {}
    assert tally.counters == {(BURIED, "stock"): 2}


async def test_the_third_failure_in_a_day_is_counted(workshop: Workshop) -> None:
    """Also where the fourth comes before anybody has looked at the third."""
    workshop.shop.refusals.add("put a")
    async with workshop.working():
        these = [await workshop.submit(Stock("s1", "put a")) for _ in range(5)]
        await workshop.ended(*these)
    assert [await workshop.journal.failures(job) for job in these] == [1, 2, 3, 4, 5]
    counted = (await census(workshop)).counters[FAILING, "stock"]
    assert counted == 2  # the worker's own look, and ours


async def counts(workshop: Workshop, name: str, times: int) -> bool:
    return (await census(workshop)).counters.get((name, "stock")) == times
