"""Every queue is a bell with order: one text, on real servers that are killed."""

import asyncio
import threading
from collections import Counter

import pytest

from queues.houses import (
    CARRYING,
    DEFAULT,
    EVER,
    KINDS,
    LONG,
    SERVED,
    SOON,
    House,
    away,
    back,
    first,
    housed,
    jobs,
    nudge,
    on_a_slow_machine,
    take,
)
from windlass.engine.queue import Queue
from windlass.errors import Transient

carrying = pytest.mark.parametrize("house", CARRYING, indirect=True)
served = pytest.mark.parametrize("house", SERVED, indirect=True)

patient = pytest.fixture(autouse=True)(on_a_slow_machine)
house = pytest.fixture(params=KINDS)(housed)


@pytest.fixture
def queue(house: House) -> Queue:
    return house.queue()


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


@carrying
async def test_those_who_wait_side_by_side_each_get_one(queue: Queue) -> None:
    waiting = [asyncio.ensure_future(take(queue)) for _ in range(3)]
    await asyncio.sleep(SOON)
    await queue.put([nudge(1), nudge(2), nudge(3)])
    assert {found.job for found in await asyncio.gather(*waiting)} == {1, 2, 3}


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
