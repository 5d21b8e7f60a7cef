"""Every kind of queue with what it needs: a datastore, or a real server that can be killed."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import greenstalk
import pytest
from redis.asyncio import Redis as RedisClient

from conftest import until
from servers import Beanstalkd, Redis, Server
from windlass.engine.lease import JobId
from windlass.engine.queue import Nudge, Queue
from windlass.errors import Transient
from windlass.plugins import backend
from windlass.queues import redis as redis_queue
from windlass.queues import talk
from windlass.queues.memory import MemoryQueue
from windlass.store.database import Database
from windlass.store.schema import upgrade

SERVED = ["beanstalkd", "beanstalkd -b", "redis"]  # these have a server
CARRYING = ["memory", *SERVED]  # these carry the jobs' ids
KINDS = ["datastore", *CARRYING]

LONG = 60.0  # seconds that nobody should need
EVER = 10 * LONG  # patience that a test does not have: whoever waits it out has failed
SOON = 0.05  # seconds after which somebody gives up
DEFAULT = {"default": 1}


def nudge(job: int, tube: str = "default", priority: int = 100) -> Nudge:
    return Nudge(tube, JobId(job), priority)


class House:
    """One kind of queue, and all the queues that were opened on it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.database = Database(f"sqlite:///{folder / 'windlass.db'}")
        self.server = self.server_of(kind)
        self.memory: MemoryQueue | None = None
        self.queues: list[Queue] = []

    def server_of(self, kind: str) -> Server | None:
        if kind.startswith("beanstalkd"):
            return Beanstalkd(self.folder / "beanstalkd", durable="-b" in kind)
        return Redis(self.folder / "redis", "hush-hush") if kind == "redis" else None

    async def open(self) -> None:
        if self.kind == "datastore":
            await upgrade(self.database.url)
        if self.server is not None:
            self.server.start()

    def queue(self) -> Queue:
        """One more process's queue; of those in memory there is one only."""
        if self.kind == "memory" and self.queues:
            return self.queues[0]
        url = self.server.url if self.server is not None else f"{self.kind}:"
        made: Queue = backend("windlass.queues", url)(url, self.database)
        self.queues.append(made)
        return made

    def die(self) -> None:
        """The queue is gone, with what it held if it keeps nothing."""
        if self.server is not None:
            self.server.kill()
        for queue in self.queues:
            if isinstance(queue, MemoryQueue):
                queue.heaps.clear()

    def live(self) -> None:
        """It is back."""
        if self.server is not None:
            self.server.start()

    async def forget(self) -> None:
        """It loses all that it holds, and stays where it is."""
        if self.kind == "redis":
            assert self.server is not None
            async with RedisClient.from_url(self.server.url) as client:
                await client.flushall()
        elif self.kind.startswith("beanstalkd"):  # it has no word for it
            self.die()
            shutil.rmtree(self.folder / "beanstalkd")
            (self.folder / "beanstalkd").mkdir()
            self.live()
        else:
            self.die()

    async def soil(self, tube: str) -> None:
        """Somebody puts what is no nudge into a tube, in front of all others."""
        assert self.server is not None
        if isinstance(self.server, Beanstalkd):
            with greenstalk.Client(("127.0.0.1", self.server.port), use=f"windlass-{tube}") as one:
                one.put("rm -rf", priority=0)
        else:
            async with RedisClient.from_url(self.server.url) as client:
                await client.zadd(f"windlass:tube:{tube}", {b"\xffrm -rf": -1})

    async def close(self) -> None:
        for queue in self.queues:
            await queue.close()
        if self.server is not None:
            self.server.kill()
        await self.database.close()


async def housed(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A house of the kind that is asked for."""
    house = House(request.param, tmp_path)
    await house.open()
    yield house
    await house.close()


def on_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on a server's being quick, or on ours."""
    monkeypatch.setattr(talk, "ANSWER", LONG)
    monkeypatch.setattr(talk, "TTR", int(EVER))
    monkeypatch.setattr(redis_queue, "ANSWER", LONG)


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
