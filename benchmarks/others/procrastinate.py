"""Procrastinate on PostgreSQL: LISTEN/NOTIFY on, jobs kept."""

import asyncio

from procrastinate import App, PsycopgConnector

from benchmarks.others.serving import URL, serve
from benchmarks.stores import Store

app = App(connector=PsycopgConnector(conninfo=URL))


@app.task(name="nothing")
async def nothing() -> None:
    """The job."""


def fill(count: int) -> None:
    """Defer so many jobs."""

    async def deferring() -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            for _ in range(0, count, 500):
                await nothing.batch_defer_async(*[{}] * 500)

    asyncio.run(deferring())


def drain(concurrency: int) -> None:
    """Work until told to stop."""

    async def working() -> None:
        async with app.open_async():
            await app.run_worker_async(concurrency=concurrency)

    asyncio.run(working())


def finished(store: Store, count: int) -> int:
    """How many jobs the store says are finished."""
    return store.count("SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'")


if __name__ == "__main__":
    serve(fill, drain)
