"""The engine as a library: durable jobs in a world of your own, without the platform.

```python
engine = await Engine.open("sqlite:///bakery.db", Bakery())
job = await engine.submit(BakeCake("lemon"))
await engine.worker().run()            # in a process of its own; or, in tests:
await engine.finish(job)
```
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Generic, Self, TypeVar

from windlass.engine.hooks import Hooks
from windlass.engine.job import Asker, Phase, Request
from windlass.engine.journal import Crew
from windlass.engine.keeper import Retention
from windlass.engine.known import skills
from windlass.engine.lease import JobId, WorkerId
from windlass.engine.operation import Operation, World
from windlass.engine.operation import tubes as every_tube
from windlass.engine.queue import Queue
from windlass.engine.submitting import submit
from windlass.engine.worker import Worker
from windlass.errors import NotFound
from windlass.model.ids import new_id
from windlass.plugins import backend
from windlass.store import schema
from windlass.store.access import Access
from windlass.store.beats import beats_at
from windlass.store.database import Database
from windlass.store.jobs import Filter, Jobs, View
from windlass.store.journal import SqlJournal

W = TypeVar("W", bound=World)

BUSY = (Phase.READY, Phase.RUNNING, Phase.RETRYING, Phase.UNDOING)
LOOK = 0.02  # seconds between looks whether everything has ended


class Engine(Generic[W]):
    """Jobs on a datastore, acting on `world`."""

    def __init__(
        self, database: Database, world: W, queue_url: str, hooks: Hooks | None = None
    ) -> None:
        self.database, self.world, self.queue_url = database, world, queue_url
        self.hooks = hooks
        self.journal = SqlJournal(database)
        self.queue = self.new_queue()
        self.jobs = Jobs(Access(database))

    @classmethod
    async def open(
        cls,
        database_url: str,
        world: W,
        queue_url: str = "datastore:",
        *,
        hooks: Hooks | None = None,
    ) -> Self:
        """The engine on a datastore, whose schema is made or brought up to date."""
        await schema.upgrade(database_url)
        return cls(Database(database_url), world, queue_url, hooks)

    def new_queue(self) -> Queue:
        """A queue for one worker, or for submitting."""
        queue: Queue = backend("windlass.queues", self.queue_url)(self.queue_url, self.database)
        return queue

    async def submit(
        self,
        operation: Operation[W],
        owner: str = "",
        *,
        key: str | None = None,
        delay: float = 0.0,
        priority: int | None = None,
    ) -> JobId:
        """Accept a job, or refuse it; `owner` is whose turn and quota it takes."""
        request = Request(
            operation, owner, Asker(owner or "nobody"), {}, key=key, delay=delay, priority=priority
        )
        return (await submit(self.journal, self.queue, self.world, request, self.hooks)).job

    def worker(
        self,
        slots: int = 10,
        tubes: Mapping[str, int] | None = None,
        *,
        retention: Retention | None = None,
        recycle: int = 0,
    ) -> Worker:
        """A worker for this process: `run` until `stop`.

        Tubes come with their shares; without any, those of all operations that are known here.
        """
        shares = dict(tubes or dict.fromkeys(every_tube(), 1))
        crew = Crew(
            WorkerId(new_id("w")),
            socket.gethostname(),
            os.getpid(),
            slots,
            tuple(shares),
            frozenset(skills(Operation)),
        )
        return Worker(
            self.journal,
            self.new_queue(),
            self.world,
            crew,
            beats_at(self.database.url),
            weights=shares,
            retention=retention,
            hooks=self.hooks,
            recycle=recycle,
        )

    async def job(self, id: JobId) -> View:
        """A job as it is; NotFound if there is none."""
        view = await self.jobs.get(id)
        if view is None:
            raise NotFound(f"there is no job {id}")
        return view

    async def finish(self, *ids: JobId, tubes: Mapping[str, int] | None = None) -> list[View]:
        """Work here and now until these jobs have ended: the inline mode, for tests.

        Without any, until there is nothing to do; what is not due yet, or waits for a buried job,
        is left.
        """
        worker = self.worker(tubes=tubes)
        working = asyncio.ensure_future(worker.run())
        try:
            while True:
                views = [await self.job(id) for id in ids]
                left = views if ids else await self.jobs.page(Filter(phases=BUSY, limit=1))
                if all(view.phase.ended for view in left):
                    return views
                await asyncio.wait({working}, timeout=LOOK)
                if working.done():
                    working.result()
        finally:
            worker.stop()
            await working

    async def close(self) -> None:
        """Let go of the datastore and the queue."""
        await self.queue.close()
        await self.journal.close()
        await self.database.close()
