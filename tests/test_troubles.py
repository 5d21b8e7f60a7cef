"""What users of other engines suffer from, where no other test shows that it cannot happen here."""

import asyncio
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from conftest import PostgresServer, fresh_database, until
from engine.shop import Put, Stock, Workshop
from windlass.engine.job import Phase
from windlass.engine.operation import Plan
from windlass.store.database import Database
from windlass.store.schema import upgrade

ROOT = Path(__file__).parents[1]
CROWD = 150
CONNECTIONS = 8 + 2 + 1 + 3  # the pool, claim and flush, who listens, the pulse


async def test_a_change_of_code_leaves_alone_what_is_under_way(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is stored: it is gone on with, whatever is elaborated by now."""
    workshop.shop.faults["put b"] = 1
    job = await workshop.submit(Stock("s1", "put a;waiting b;put c"))

    async def between_tries() -> bool:
        row = await workshop.row(job)
        return row.phase == Phase.RETRYING and row.worker is None

    async with workshop.working():
        await until(between_tries)

    async def elaborate(self: Stock, world: Any) -> Plan[Any]:
        yield Put("something else")

    monkeypatch.setattr(Stock, "elaborate", elaborate)
    later = await workshop.submit(Stock("s2", "put d"))
    async with workshop.working():
        assert await workshop.ended(job, later) == [Phase.COMPLETE, Phase.COMPLETE]
    assert set(workshop.shop.shelf) == {"a", "b", "c", "something else"}


async def test_a_locked_database_reaches_nobody(tmp_path: Path) -> None:
    """Another process writes for a while: readers read, who wants to write waits his turn."""
    url = f"sqlite:///{tmp_path / 'w.db'}"
    await upgrade(url)
    workshop = Workshop(Database(url))
    job = await workshop.submit(Stock("s1", "put a"))
    with sqlite3.connect(tmp_path / "w.db", isolation_level=None) as other:
        async with workshop.working():
            await workshop.ended(job)
            other.execute("BEGIN IMMEDIATE")
            asking = asyncio.ensure_future(workshop.submit(Stock("s1", "put b")))
            assert await workshop.phase(job) is Phase.COMPLETE
            await asyncio.wait({asking}, timeout=0.2)
            assert not asking.done()
            other.execute("COMMIT")
            assert await workshop.ended(await asking) == [Phase.COMPLETE]
    other.close()
    await workshop.database.close()


@dataclass
class Server:
    """A PostgreSQL of our own, watched by a connection of its own."""

    workshop: Workshop
    watching: Any

    async def connections(self) -> int:
        """How many there are beside the one that asks."""
        query = """
        SELECT count(*) - 1 FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'"""
        return int(await self.watching.fetchval(query))


@pytest.fixture
async def server(postgres: PostgresServer, postgres_template: str) -> Any:
    url = await fresh_database(postgres, postgres_template)
    workshop = Workshop(Database(url))
    watching = await asyncpg.connect(url)
    yield Server(workshop, watching)
    await watching.close()
    await workshop.database.close()


async def test_a_crowd_needs_no_more_connections(server: Server) -> None:
    """Jobs, steps and requests have none of their own."""
    workshop, most = server.workshop, 0
    async with workshop.working(slots=CROWD):
        asked = [workshop.submit(Stock(f"s{number}", "put a")) for number in range(CROWD)]
        asking = asyncio.ensure_future(asyncio.gather(*asked))
        while not asking.done():
            most = max(most, await server.connections())
        jobs = asking.result()
        ending = asyncio.ensure_future(workshop.ended(*jobs))
        while not ending.done():
            most = max(most, await server.connections())
        assert set(ending.result()) == {Phase.COMPLETE}
    assert 1 < most <= CONNECTIONS


async def test_whoever_writes_much_rings_little(server: Server) -> None:
    """A NOTIFY stands in hardly any commit, and many writes share one."""
    database, heard = server.workshop.database, []
    await server.watching.add_listener("windlass", lambda *said: heard.append(said))
    database.ring()  # it begins to listen
    await until(lambda: heard)
    heard.clear()
    for _ in range(1000):
        database.ring()
    await until(lambda: heard)
    await server.connections()  # whatever was on its way comes with the answer
    assert len(heard) == 1


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", (ROOT / "docs/troubles.md").read_text())
    assert len(named) > 20
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"
