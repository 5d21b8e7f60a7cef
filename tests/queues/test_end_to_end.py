"""From end to end: the queue dies in the midst of a hundred jobs, and nobody is the poorer."""

from collections import Counter

from conftest import until
from engine.shop import Stock, Workshop
from queues.houses import House
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


async def test_a_hundred_jobs_complete_though_the_queue_dies_in_their_midst(house: House) -> None:
    await upgrade(house.database.url)
    workshop = QueueWorkshop(house)
    shop = workshop.shop
    async with workshop.working(2):
        ids = [await workshop.submit(Stock(f"s{n}", f"put {n}")) for n in range(40)]
        await until(lambda: len(shop.acts) >= 10)
        house.die()
        ids += [await workshop.submit(Stock(f"s{n}", f"put {n}")) for n in range(40, 70)]
        await workshop.ended(*ids[:50])
        house.live()
        ids += [await workshop.submit(Stock(f"s{n}", f"put {n}")) for n in range(70, 100)]
        assert await workshop.ended(*ids) == [Phase.COMPLETE] * 100
    assert Counter(shop.acts) == {f"put {n}": 1 for n in range(100)}
