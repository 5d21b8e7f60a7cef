"""What other processes hear on PostgreSQL, and how often."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from conftest import PostgresServer, fresh_database, until
from engine.shop import Plain, Workshop
from windlass.store.database import Database
from windlass.store.notify import CHANNEL


@pytest.fixture
async def workshop(postgres: PostgresServer, postgres_template: str) -> AsyncIterator[Workshop]:
    """An engine on PostgreSQL."""
    database = Database(await fresh_database(postgres, postgres_template))
    yield Workshop(database)
    await database.close()


@pytest.fixture
async def heard(workshop: Workshop) -> AsyncIterator[list[str]]:
    """All that is said, as a process that listens hears it."""
    connection = await asyncpg.connect(workshop.database.url)
    words: list[str] = []
    await connection.add_listener(CHANNEL, lambda *said: words.append(said[-1]))
    yield words
    await connection.close()


async def test_a_job_is_said_once(workshop: Workshop, heard: list[str]) -> None:
    """By the statement that accepts it, where nobody has said anything for a while."""
    await workshop.submit(Plain("s1", "put a"))
    await until(lambda: heard)
    workshop.database.ring()
    await until(lambda: len(heard) > 1)
    assert heard == ["ready", ""]


async def test_many_jobs_share_a_word(workshop: Workshop, heard: list[str]) -> None:
    asked = [workshop.submit(Plain(f"s{number}", "put a")) for number in range(100)]
    await asyncio.gather(*asked)

    def all_said() -> bool:
        workshop.database.ring()
        return heard[-1:] == [""]

    await until(all_said)
    assert 1 < len(heard) < 50


async def test_what_others_say_counts_for_whoever_would_speak(workshop: Workshop) -> None:
    """Or as many processes as there are would have a NOTIFY in their commits."""
    ours = Database(workshop.database.url)
    notifier = ours.notifier
    assert notifier is not None
    ours.speaks()  # who may speak listens
    notifier.hailed = 0.0
    await until(lambda: notifier.connected)
    assert notifier.hailed == 0.0
    await workshop.submit(Plain("s1", "put a"))
    await until(lambda: notifier.hailed > 0.0)
    await ours.close()
