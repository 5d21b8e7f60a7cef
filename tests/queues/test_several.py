"""Several beanstalkd servers are one queue, of which parts may be dead."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conftest import until
from queues.houses import DEFAULT, SOON, away, back, jobs, nudge, take
from servers import Beanstalkd
from windlass.queues.beanstalkd import BeanstalkdQueue


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
