"""Jobs as people see them, on both datastores."""

import asyncio

from conftest import until
from engine.shop import Stock, Workshop
from windlass.engine.job import Phase, Status
from windlass.store.access import Access
from windlass.store.jobs import Filter, Jobs


async def test_jobs_are_found_by_the_phase_that_is_shown(workshop: Workshop) -> None:
    """The column says `running` until a run has ended, whichever way it goes."""
    jobs, shop = Jobs(Access(workshop.database)), workshop.shop

    async def found(*phases: Phase) -> list[int]:
        page = await jobs.page(Filter(phases=phases))
        assert all(view.phase in phases for view in page)
        return [view.id for view in page]

    shop.refusals.add("put bad")
    for gate in ("take a", "put b"):
        shop.gates[gate] = asyncio.Event()
    back = await workshop.submit(Stock("s1", "put a; put bad"))
    forward = await workshop.submit(Stock("s2", "put b"))
    async with workshop.working():
        await until(lambda: {"take a", "put b"} <= set(shop.acts))
        assert await found(Phase.UNDOING) == [back]
        assert await found(Phase.RUNNING) == [forward]
        assert await found(Phase.RUNNING, Phase.UNDOING) == [forward, back]
        assert await found(Phase.UNDOING, Phase.FAILED) == [back]
        under_way = await jobs.page(Filter(statuses=[Status.IN_PROGRESS], phases=[Phase.UNDOING]))
        assert [view.id for view in under_way] == [back]
        for gate in shop.gates.values():
            gate.set()
        await workshop.ended(back, forward)
    assert await found(Phase.UNDOING, Phase.FAILED) == [back]
