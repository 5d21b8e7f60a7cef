"""From end to end: the queue dies in the midst of a thousand jobs, and nobody is the poorer."""

from collections import Counter

import pytest

from conftest import until
from engine.shop import Stock, Workshop
from queues.houses import SERVED, House
from windlass.engine.job import Phase
from windlass.engine.worker import Worker
from windlass.store.schema import upgrade


class QueueWorkshop(Workshop):
    """The workshop, its workers each with a queue of this house."""

    def __init__(self, house: House) -> None:
        super().__init__(house.database)
        self.house = house
        self.queue = house.queue()  # type: ignore[assignment]

    def worker(self, slots: int = 10, name: str | None = None) -> Worker:
        worker = super().worker(slots, name)
        worker.queue = self.house.queue()
        return worker


@pytest.mark.parametrize("house", SERVED, indirect=True)
async def test_a_thousand_jobs_complete_though_the_queue_dies_and_forgets(house: House) -> None:
    await upgrade(house.database.url)
    workshop = QueueWorkshop(house)
    shop = workshop.shop
    async with workshop.working(2) as workers:
        jobs = [await workshop.submit(Stock(f"s{n}", f"put {n}")) for n in range(400)]
        await until(lambda: len(shop.acts) >= 100)
        house.die()
        jobs += [await workshop.submit(Stock(f"s{n}", f"put {n}")) for n in range(400, 700)]
        await until(lambda: len(shop.acts) >= 500)
        house.live()
        jobs += [await workshop.submit(Stock(f"s{n}", f"put {n}")) for n in range(700, 1000)]
        await house.forget()
        assert await workshop.ended(*jobs, patience=120) == [Phase.COMPLETE] * 1000
        assert not any(worker.lost for worker in workers)
    assert Counter(shop.acts) == {f"put {n}": 1 for n in range(1000)}
