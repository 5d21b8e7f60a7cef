"""Every kind of queue with what it needs: a datastore, or a real server that can be killed."""

from pathlib import Path

import greenstalk
from redis.asyncio import Redis as RedisClient

from servers import Beanstalkd, Redis, Server
from windlass.engine.lease import JobId
from windlass.engine.queue import Nudge, Queue
from windlass.plugins import backend
from windlass.queues.memory import MemoryQueue
from windlass.store.database import Database
from windlass.store.schema import upgrade

SERVED = ["beanstalkd", "beanstalkd -b", "redis"]  # these have a server
CARRYING = ["memory", *SERVED]  # these carry the jobs' ids
KINDS = ["datastore", *CARRYING]


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
