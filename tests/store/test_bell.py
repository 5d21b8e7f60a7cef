"""The bell rings for what is written, here and in other processes."""

import asyncio
import sqlite3

import pytest

from engine.shop import Plain, Workshop
from windlass.store.bell import listening
from windlass.store.database import Database


async def test_what_another_process_writes_is_heard(workshop: Workshop) -> None:
    """And once it was heard there is quiet, until the next."""
    elsewhere = Database(workshop.database.url)
    async with listening(elsewhere) as bell:
        for number in range(3):
            while await bell.wait(0.3):
                pass
            waiting = asyncio.ensure_future(bell.wait(60))
            await asyncio.sleep(0)
            assert not waiting.done()
            await workshop.submit(Plain(f"s{number}", "put a"))
            assert await waiting
    await elsewhere.close()


async def test_what_this_process_writes_is_heard_at_once(workshop: Workshop) -> None:
    async with listening(workshop.database) as bell:
        waiting = asyncio.ensure_future(bell.wait(60))
        await asyncio.sleep(0)
        workshop.database.ring()
        assert await waiting


async def test_what_this_process_writes_quietly_rings_nobody_here(workshop: Workshop) -> None:
    crew = workshop.worker().crew
    await workshop.journal.enlist(crew)
    async with listening(workshop.database) as bell:
        while await bell.wait(0.3):
            pass
        await workshop.journal.beat(crew.id)
        assert not await bell.wait(0.3)


async def test_who_cannot_look_is_rung_and_looks_for_himself(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    if workshop.database.dialect != "sqlite":
        pytest.skip("a server tells us")
    inner = workshop.database.inner
    async with listening(workshop.database) as bell:

        def broken() -> int:
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(inner, "data_version", broken)
        assert await bell.wait(60)
        monkeypatch.undo()
        assert not await bell.wait(0.1)
