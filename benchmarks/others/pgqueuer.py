"""pgqueuer on PostgreSQL, through asyncpg and uvloop as its own command line has it."""

import asyncio

import asyncpg
import uvloop
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries

from benchmarks.others.serving import URL, serve
from benchmarks.stores import Store


def fill(count: int) -> None:
    """Enqueue so many jobs."""

    async def enqueueing() -> None:
        connection = await asyncpg.connect(URL)
        queries = Queries(AsyncpgDriver(connection))
        await queries.install()
        for _ in range(0, count, 500):
            await queries.enqueue(["nothing"] * 500, [None] * 500, [0] * 500)
        await connection.close()

    asyncio.run(enqueueing())


def drain(batch: int) -> None:
    """Work until killed."""

    async def working() -> None:
        pgq = PgQueuer.from_asyncpg_connection(await asyncpg.connect(URL))

        @pgq.entrypoint("nothing")
        async def nothing(job: Job) -> None:
            pass

        await pgq.run(batch_size=batch)

    uvloop.run(working())


def finished(store: Store, count: int) -> int:
    """How many jobs the store says are finished: its log tells of each."""
    return store.count("SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'")


if __name__ == "__main__":
    serve(fill, drain)
