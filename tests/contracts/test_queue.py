"""Every queue is a bell with order: one text, on real servers."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from conftest import until
from engine.shop import Stock, Workshop
from queues.houses import CARRYING, KINDS, SERVED, House, nudge
from servers import Beanstalkd
from windlass.engine.job import Phase
from windlass.engine.queue import Nudge, Queue
from windlass.engine.worker import Worker
from windlass.errors import Transient
from windlass.queues import redis as redis_queue
from windlass.queues import talk
from windlass.queues.beanstalkd import BeanstalkdQueue
from windlass.store.schema import upgrade

LONG = 60.0  # seconds that nobody should need
EVER = 10 * LONG  # patience that a test does not have: whoever waits it out has failed
SOON = 0.05  # seconds after which somebody gives up
DEFAULT = {"default": 1}

carrying = pytest.mark.parametrize("house", CARRYING, indirect=True)
served = pytest.mark.parametrize("house", SERVED, indirect=True)


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on a server's being quick, or on ours."""
    monkeypatch.setattr(talk, "ANSWER", LONG)
    monkeypatch.setattr(talk, "TTR", int(EVER))
    monkeypatch.setattr(redis_queue, "ANSWER", LONG)


@pytest.fixture(params=KINDS)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    house = House(request.param, tmp_path)
    await house.open()
    yield house
    await house.close()


@pytest.fixture
def queue(house: House) -> Queue:
    return house.queue()


async def take(queue: Queue, tubes: Mapping[str, int] = DEFAULT, patience: float = EVER) -> Nudge:
    """The next nudge, looked at and deleted."""
    async with asyncio.timeout(LONG):
        found = await queue.reserve(tubes, patience)
        assert found is not None
        await queue.delete(found)
    return found


async def first(queue: Queue, tube: str) -> int | None:
    return (await take(queue, {tube: 1})).job


async def jobs(queue: Queue, count: int, tubes: Mapping[str, int] = DEFAULT) -> list[int | None]:
    return [(await take(queue, tubes)).job for _ in range(count)]


async def away(queue: Queue) -> None:
    """Every method says that the queue is away, however much patience it is given."""
    async with asyncio.timeout(LONG):
        with pytest.raises(Transient, match="is away"):
            await queue.reserve(DEFAULT, EVER)
        with pytest.raises(Transient, match="is away"):
            await queue.put([nudge(1)])
        with pytest.raises(Transient, match="is away"):
            await queue.check()


async def back(queue: Queue, job: int) -> None:
    """It works again, by itself."""

    async def works() -> bool:
        try:
            await queue.check()
            await queue.put([nudge(job)])
            found = await queue.reserve(DEFAULT, 1.0)
        except Transient:
            return False
        return found is not None and found.job == job

    await until(works)


# -- all of them ---------------------------------------------------------------------------


async def test_whoever_waits_is_told(house: House, queue: Queue) -> None:
    waiting = asyncio.ensure_future(take(queue))
    await asyncio.sleep(SOON)
    await house.queue().put([nudge(42)])
    found = await waiting
    assert found.tube == "default"
    assert found.job == (None if house.kind == "datastore" else 42)


async def test_patience_runs_out(queue: Queue) -> None:
    await queue.reserve(DEFAULT, SOON)  # a bell may ring once for what was before
    assert await queue.reserve(DEFAULT, SOON) is None
    assert await queue.reserve(DEFAULT, 0) is None


async def test_who_is_cancelled_while_waiting_loses_nothing(house: House, queue: Queue) -> None:
    for job in range(1, 6):
        waiting = asyncio.ensure_future(queue.reserve(DEFAULT, EVER))
        await asyncio.sleep(SOON / 5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await house.queue().put([nudge(job)])
        assert (await take(queue)).job in (job, None)


async def test_it_is_here(queue: Queue) -> None:
    await queue.check()


async def test_it_lets_go(house: House, queue: Queue) -> None:
    waiting = asyncio.ensure_future(queue.reserve(DEFAULT, EVER))
    await asyncio.sleep(SOON)
    await queue.put([])
    waiting.cancel()
    async with asyncio.timeout(LONG):
        await queue.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("beanstalkd")]
    other = house.queue()
    waiting = asyncio.ensure_future(take(other))
    await asyncio.sleep(SOON)
    await other.put([nudge(2)])
    await waiting


# -- those that carry ids ------------------------------------------------------------------


@carrying
async def test_what_is_put_is_there_for_one(queue: Queue) -> None:
    await queue.put([nudge(7, priority=5)])
    found = await take(queue)
    assert (found.tube, found.job, found.priority) == ("default", 7, 5)
    assert await queue.reserve(DEFAULT, SOON) is None


@carrying
async def test_the_most_urgent_comes_first_and_then_the_oldest(queue: Queue) -> None:
    await queue.put([nudge(1, priority=100), nudge(2, priority=100)])
    await queue.put([nudge(3, priority=0), nudge(5, priority=200), nudge(4, priority=100)])
    assert await jobs(queue, 5) == [3, 1, 2, 4, 5]


@carrying
async def test_no_priority_is_too_high_or_too_low(queue: Queue) -> None:
    await queue.put([nudge(1, priority=2**40), nudge(2, priority=-1)])
    assert await jobs(queue, 2) == [2, 1]


@carrying
async def test_only_what_was_asked_for_comes(queue: Queue) -> None:
    await queue.put([nudge(1, "a"), nudge(2, "b"), nudge(3, "c")])
    assert [await first(queue, "b"), await first(queue, "c")] == [2, 3]
    assert await queue.reserve({"b": 1, "c": 1}, SOON) is None
    assert await first(queue, "a") == 1


@carrying
async def test_tubes_take_turns_by_weight(queue: Queue) -> None:
    await queue.put([nudge(job, "a") for job in range(1, 21)])
    await queue.put([nudge(job, "b", priority=0) for job in range(101, 121)])
    found = [(await take(queue, {"a": 3, "b": 1})).tube for _ in range(20)]
    assert Counter(found) == {"a": 15, "b": 5}
    rest = [(await take(queue, {"a": 3, "b": 1})).tube for _ in range(20)]
    assert Counter(rest) == {"a": 5, "b": 15}  # a tube with nothing holds nobody up


@carrying
async def test_doubles_cost_nothing(queue: Queue) -> None:
    await queue.put([nudge(1), nudge(1)])
    await queue.put([nudge(1), nudge(2)])
    found: list[int | None] = []
    while 2 not in found:
        found += await jobs(queue, 1)
    assert set(found) == {1, 2}
    assert len(found) <= 4


@carrying
async def test_what_was_found_for_nobody_is_given_back(house: House, queue: Queue) -> None:
    """A look for tube a outlives who asked for it; who asks for b then has no use for a."""
    waiting = asyncio.ensure_future(queue.reserve({"a": 1}, EVER))
    await asyncio.sleep(SOON)
    waiting.cancel()
    other = house.queue()
    await other.put([nudge(1, "a"), nudge(2, "b")])
    assert await first(queue, "b") == 2
    assert await first(other, "a") == 1


# -- those with a server -------------------------------------------------------------------


@served
async def test_killed_it_says_so_and_started_again_it_works(house: House, queue: Queue) -> None:
    await queue.put([nudge(1)])
    await take(queue)
    house.die()
    await away(queue)
    house.live()
    await back(queue, 2)


@served
async def test_killed_before_the_first_word_it_says_so(house: House) -> None:
    house.die()
    queue = house.queue()
    await away(queue)
    house.live()
    await back(queue, 1)


@served
async def test_who_waits_is_told_that_it_was_killed(house: House, queue: Queue) -> None:
    waiting = asyncio.ensure_future(queue.reserve(DEFAULT, EVER))
    await asyncio.sleep(SOON)
    house.die()
    async with asyncio.timeout(LONG):
        with pytest.raises(Transient, match="is away"):
            await waiting
    house.live()
    await back(queue, 1)


@served
async def test_a_restart_that_nobody_saw_is_no_trouble(house: House, queue: Queue) -> None:
    await queue.put([nudge(1)])
    house.die()
    house.live()
    await queue.put([nudge(2)])
    assert await queue.reserve(DEFAULT, EVER) is not None


@pytest.mark.parametrize("house", ["beanstalkd", "redis"], indirect=True)
async def test_frozen_it_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "ANSWER", 1.5)
    monkeypatch.setattr(redis_queue, "ANSWER", 1.5)
    queue = house.queue()
    await back(queue, 1)
    assert house.server is not None
    house.server.freeze()
    await away(queue)
    house.die()
    house.live()
    await back(queue, 2)


@served
async def test_what_is_no_nudge_is_laid_aside(house: House, queue: Queue) -> None:
    await house.soil("default")
    await queue.put([nudge(1)])
    with capture_logs() as logs:
        assert (await take(queue)).job == 1
    assert [entry["event"] for entry in logs] == ["queue.not_a_nudge"]
    assert await queue.reserve(DEFAULT, SOON) is None


@served
async def test_passwords_are_shown_to_nobody(house: House, queue: Queue) -> None:
    with capture_logs() as logs:
        await queue.check()
        house.die()
        with pytest.raises(Transient) as raised:
            await queue.check()
    assert logs
    assert "hush" not in f"{logs} {raised.value}"


@pytest.mark.parametrize("house", ["beanstalkd -b"], indirect=True)
async def test_with_a_log_it_forgets_nothing(house: House, queue: Queue) -> None:
    await queue.put([nudge(job) for job in range(1, 21)])
    house.die()
    house.live()
    found = [await queue.reserve(DEFAULT, EVER) for _ in range(20)]
    assert {one.job for one in found if one is not None} == set(range(1, 21))


@pytest.mark.parametrize("house", ["beanstalkd"], indirect=True)
async def test_what_a_dead_worker_held_comes_back(house: House, queue: Queue) -> None:
    await queue.put([nudge(1)])
    assert await queue.reserve(DEFAULT, EVER) is not None
    await queue.close()
    assert (await take(house.queue())).job == 1


# -- several servers -----------------------------------------------------------------------


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[tuple[BeanstalkdQueue, list[Beanstalkd]]]:
    servers = [Beanstalkd(tmp_path / name) for name in "abc"]
    for server in servers:
        server.start()
    places = ",".join(server.url.removeprefix("beanstalkd://") for server in servers)
    queue = BeanstalkdQueue(f"beanstalkd://{places}")
    yield queue, servers
    await queue.close()
    for server in servers:
        server.kill()


def held(server: Beanstalkd) -> int:
    """How many nudges a server has ever got."""
    lines = server.asked("stats").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("total-jobs:")), 0)


async def test_several_servers_are_one_queue(
    three: tuple[BeanstalkdQueue, list[Beanstalkd]],
) -> None:
    queue, servers = three
    for job in range(1, 31):
        await queue.put([nudge(job)])
    assert [held(server) for server in servers] == [10, 10, 10]
    assert set(await jobs(queue, 30)) == set(range(1, 31))
    assert await queue.reserve(DEFAULT, SOON) is None


async def test_of_several_servers_a_dead_one_is_left_out_and_comes_back(
    three: tuple[BeanstalkdQueue, list[Beanstalkd]],
) -> None:
    queue, servers = three
    for job in range(1, 10):
        await queue.put([nudge(job)])
    servers[1].kill()
    for job in range(10, 20):
        await queue.put([nudge(job)])
    await queue.check()
    found: set[int | None] = set()
    while not found >= set(range(10, 20)):
        found.add((await take(queue)).job)
    servers[1].start()

    async def in_use() -> bool:
        await queue.put([nudge(20)])
        await take(queue)
        return held(servers[1]) > 0

    await until(in_use)


async def test_of_several_servers_any_one_is_enough(
    three: tuple[BeanstalkdQueue, list[Beanstalkd]],
) -> None:
    queue, servers = three
    for job, last in enumerate(servers, 1):
        for server in servers:
            if server is not last:
                server.kill()
        await back(queue, job)
        for server in servers:
            if server is not last:
                server.start()

        def all_here() -> bool:
            return all(
                line.reach.why is None
                for server in queue.servers
                for line in (server.putting, server.taking)
            )

        await until(all_here)
    for server in servers:
        server.kill()
    await away(queue)


# -- from end to end -----------------------------------------------------------------------


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
