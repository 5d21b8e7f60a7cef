"""An engine put together from its public classes, as the broker does it for the platform."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.ours.operations import Bench, Errand
from windlass.engine.job import Asker, Request
from windlass.engine.journal import Crew
from windlass.engine.known import skills
from windlass.engine.lease import JobId, WorkerId
from windlass.engine.operation import Operation
from windlass.engine.queue import Queue
from windlass.engine.submitting import submit
from windlass.engine.worker import Worker
from windlass.model.ids import new_id
from windlass.plugins import backend
from windlass.store.beats import beats_at
from windlass.store.database import Database
from windlass.store.journal import SqlJournal

URL = os.environ.get("BENCH_URL", "")
QUEUE = os.environ.get("BENCH_QUEUE", "datastore:")
OWNER = "anna"


@dataclass
class House:
    """A journal and a queue."""

    database: Database
    journal: SqlJournal
    queue: Queue
    world: Bench

    async def submit(self, errand: Errand, owner: str = OWNER) -> JobId:
        """Hand in a job, as the API does: commit, then ring."""
        request = Request(errand, owner, Asker(owner), {})
        return (await submit(self.journal, self.queue, self.world, request)).job

    def crew(self, slots: int) -> Crew:
        """A worker process, as it is enlisted."""
        return Crew(
            id=WorkerId(new_id("w")),
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=slots,
            tubes=("default",),
            skills=frozenset(skills(Operation)),
        )

    async def work(self, slots: int) -> None:
        """Run the shipped worker until SIGTERM."""
        worker = Worker(self.journal, self.queue, self.world, self.crew(slots), beats_at(URL))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.run()


@asynccontextmanager
async def house(url: str = URL, marks: str | None = None) -> AsyncIterator[House]:
    """An engine on a datastore, for a while."""
    database = Database(url)
    journal = SqlJournal(database)
    queue = backend("windlass.queues", QUEUE)(QUEUE, database)
    try:
        yield House(database, journal, queue, Bench.marking(marks) if marks else Bench())
    finally:
        await queue.close()
        await journal.close()
        await database.close()
