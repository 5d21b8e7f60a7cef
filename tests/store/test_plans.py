"""What has ended costs nobody anything: no statement goes through all jobs that there ever were."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from conftest import until
from engine.shop import Stock, Workshop
from store.plans import overheard, plan, walks
from windlass.engine import keeper
from windlass.engine.job import Phase, Status
from windlass.engine.keeper import Retention
from windlass.engine.lease import JobId
from windlass.model.ids import new_id
from windlass.store.access import Access
from windlass.store.census import Census
from windlass.store.crew import Crews
from windlass.store.jobs import Filter, Jobs
from windlass.store.summary import Summary
from windlass.store.tables import events, jobs

FINISHED = 3000
HOUR, MONTH = 3600.0, 30 * 86_400.0
ROW = {
    "tube": "default", "kind": "stock", "version": 1, "skill": "stock:1", "title": "",
    "owner": "u1", "asker": '{"login": "anna"}', "subject": "{}", "scope": "[]", "data": "{}",
    "phase": "complete", "claimable": False, "priority": 100, "final": False, "awaited": False,
    "history": "[]", "pruned": True,
}  # fmt: skip

Ask = Callable[[Workshop], Awaitable[Any]]
ASKED: dict[str, Ask] = {
    "census": lambda shop: Census(Access(shop.database)).take(),
    "unable": lambda shop: Crews(Access(shop.database)).unable(),
    "crew": lambda shop: Crews(Access(shop.database)).all(),
    "wake": lambda shop: shop.journal.wake(),
    "prune": lambda shop: shop.journal.prune(HOUR, MONTH),
    "failures": lambda shop: shop.journal.failures(JobId(1)),
    "retire": lambda shop: shop.journal.retire(shop.worker().crew.id),
    "page": lambda shop: page(shop, before=2000),
    "page of the living": lambda shop: page(shop, statuses=[Status.QUEUED, Status.IN_PROGRESS]),
    "page of the undoing": lambda shop: page(shop, phases=[Phase.UNDOING]),
    "page of the buried": lambda shop: page(shop, phases=[Phase.BURIED]),
    "page of what failed": lambda shop: page(shop, statuses=[Status.FAILED]),
    "open": lambda shop: Jobs(Access(shop.database)).open("stock"),
    "get": lambda shop: Jobs(Access(shop.database)).get(JobId(2000)),
    "pulses": lambda shop: Summary(Access(shop.database)).pulses([JobId(1), JobId(2)]),
}


async def page(shop: Workshop, **wanted: Any) -> Any:
    return await Jobs(Access(shop.database)).page(Filter(**wanted))


async def filled(workshop: Workshop) -> None:
    """Thousands that have ended, pruned but for a few, and some that live."""
    ended = time.time() - 2 * HOUR
    rows = [ROW | {"created": ended, "ended": ended + number} for number in range(FINISHED)]
    told = {"number": 1, "lease": 1, "kinds": "ended", "outcome": 1, "told": "[]"}
    async with workshop.database.write() as connection:
        await connection.execute(insert(jobs), rows)
        await connection.execute(
            insert(events), [told | {"job": job + 1} for job in range(FINISHED)]
        )
    for number in range(5):
        await workshop.submit(Stock(new_id("s"), "put a"), delay=number)
    async with workshop.database.write() as connection:
        await connection.execute(text("ANALYZE"))


@pytest.mark.parametrize("name", ASKED)
async def test_what_has_ended_costs_nothing(workshop: Workshop, name: str) -> None:
    await filled(workshop)
    with overheard(workshop.database) as said:
        await ASKED[name](workshop)
    assert said
    for statement, values in said:
        lines = await plan(workshop.database, statement, values)
        assert not walks(lines), "\n".join([statement, *lines])


async def test_pruning_keeps_up(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than fits into one transaction goes at once, not batch by batch every minute."""
    monkeypatch.setattr(keeper.random, "uniform", lambda low, high: low)  # now, not in a while
    await filled(workshop)
    queue = workshop.queue
    keeping = asyncio.ensure_future(keeper.keep_house(workshop.journal, queue, Retention(0, 0)))

    async def empty() -> bool:
        async with workshop.database.read() as connection:
            ended = select(func.count()).select_from(jobs).where(jobs.c.ended.is_not(None))
            return not (await connection.execute(ended)).scalar_one()

    await until(empty, patience=40)
    keeping.cancel()
