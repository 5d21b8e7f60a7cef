"""What is SQLite's own: which commits wait for the disk, and who is in whose way."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from engine.shop import Plain, Workshop
from windlass.engine.lease import JobId, Lease
from windlass.store.access import Access
from windlass.store.database import Database
from windlass.store.tables import gears


@pytest.fixture
def path(sqlite_template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sqlite_template, tmp_path / "windlass.db"))


@pytest.fixture
async def shop(path: Path) -> AsyncIterator[Workshop]:
    database = Database(f"sqlite:///{path}")
    yield Workshop(database)
    await database.close()


class Seen(list[str]):
    """Every statement on the connection that writes."""

    @property
    def waits(self) -> bool:
        """Whether the last commit waited for the disk."""
        return [one for one in self if "synchronous" in one][-1].endswith("FULL")


async def seen_in(database: Database) -> Seen:
    seen = Seen()
    async with database.write() as connection:
        connection.driver.set_trace_callback(seen.append)  # type: ignore[attr-defined]
    return seen


async def test_what_a_step_writes_waits_with_its_event(shop: Workshop) -> None:
    crew, seen = shop.worker().crew, await seen_in(shop.database)
    await shop.journal.enlist(crew)
    assert seen.waits
    async with Access(shop.database, by=Lease(crew.id, JobId(1), 1)).write():
        pass
    assert not seen.waits
    async with Access(shop.database).write():
        pass
    assert seen.waits, "what people ask for is on the disk before they are told so"
    await shop.journal.beat(crew.id)
    assert not seen.waits


async def test_what_is_told_of_a_job_waits_for_the_disk(shop: Workshop) -> None:
    seen = await seen_in(shop.database)
    job = await shop.submit(Plain("s1", "put a"))
    assert seen.waits
    async with shop.working():
        await shop.ended(job)
    flushes = [number for number, one in enumerate(seen) if one.startswith("INSERT INTO events")]
    told = [Seen(seen[:number]).waits for number in flushes]
    assert told
    assert all(told)


async def test_who_finds_nothing_to_claim_is_in_nobodys_way(shop: Workshop, path: Path) -> None:
    crew = shop.worker().crew
    await shop.journal.enlist(crew)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # whoever wants to write must wait now
    assert await shop.journal.claim(crew, ["default"], 1) == []
    other.rollback()
    job = await shop.submit(Plain("s1", "put a"))
    assert [one.lease.job for one in await shop.journal.claim(crew, ["default"], 1)] == [job]
    other.close()


async def test_after_a_commit_that_failed_the_next_one_goes_well(shop: Workshop) -> None:
    orphan = {"id": "g1", "application": "a1", "node": "local", "slot": 1, "size": "small"}
    for statement in (insert(gears), insert(gears).returning(gears.c.id)):
        with pytest.raises(IntegrityError):
            async with shop.database.write() as connection:
                await connection.execute(text("PRAGMA defer_foreign_keys=ON"))
                await connection.execute(statement, orphan | {"created": 0.0})
        await shop.submit(Plain("s1", "put a"))
