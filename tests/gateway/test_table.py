"""The table's reading: once for many, and never in the way."""

import asyncio

import pytest

from windlass.errors import Transient
from windlass.gateway.table import Table
from windlass.model.routes import Route, Snapshot


class GatedRoutes:
    """Routes whose reading can be held up."""

    def __init__(self):
        self.reads = 0
        self.gate = asyncio.Event()
        self.error = None

    async def all(self, known):
        self.reads += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return Snapshot(self.reads, (Route("Blog.localhost", "blog", (str(self.reads),)),))

    async def changed(self, patience):
        await asyncio.Event().wait()

    async def close(self):
        pass


async def test_many_that_ask_at_once_share_a_read_that_began_after_they_asked():
    routes = GatedRoutes()
    table = Table(routes)
    first = asyncio.create_task(table.refresh())
    await turns()
    later = [asyncio.create_task(table.refresh()) for _ in range(50)]
    await turns()
    routes.gate.set()
    await asyncio.gather(first, *later)
    assert routes.reads == 2
    assert table.find("blog.localhost").addresses == ("2",)


async def test_when_the_one_who_reads_goes_the_next_one_reads():
    routes = GatedRoutes()
    table = Table(routes)
    first = asyncio.create_task(table.refresh())
    await turns()
    second = asyncio.create_task(table.refresh())
    await turns()
    first.cancel()
    await turns()
    routes.gate.set()
    await second
    assert table.known


@pytest.mark.parametrize("error", [Transient("away"), RuntimeError("a fault of the driver")])
async def test_whatever_befalls_the_store_the_table_is_kept_and_asked_for_again(error, until):
    routes = GatedRoutes()
    routes.gate.set()
    routes.error = error
    table = Table(routes)
    keeper = asyncio.create_task(table.keep())
    await until(lambda: routes.reads > 0)
    assert not table.known
    routes.error = None
    await until(lambda: table.known)
    keeper.cancel()


async def turns():
    """Let everything run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)
