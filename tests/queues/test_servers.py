"""What is particular to servers: hanging, foreign words, passwords, logs on disk, time to run."""

import pytest
from structlog.testing import capture_logs

from queues.houses import (
    DEFAULT,
    EVER,
    SERVED,
    SOON,
    House,
    away,
    back,
    nudge,
    take,
)
from windlass.engine.queue import Queue
from windlass.errors import Transient
from windlass.queues import redis as redis_queue
from windlass.queues import talk

served = pytest.mark.parametrize("house", SERVED, indirect=True)


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


@pytest.mark.parametrize("house", ["beanstalkd"], indirect=True)
async def test_what_a_hanging_worker_holds_comes_back(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "TTR", 1)
    await queue.put([nudge(1)])
    held = await queue.reserve(DEFAULT, EVER)
    again = await queue.reserve(DEFAULT, EVER)
    assert held is not None
    assert again is not None
    assert (held.job, again.job) == (1, 1)
    await queue.delete(again)
    await queue.delete(held)  # what is gone is deleted without complaint
