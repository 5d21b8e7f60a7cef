"""The pulse: who is dead is retired beside the beats."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import text

from conftest import until
from engine.shop import Workshop
from windlass.engine.pulse import Pulse
from windlass.engine.queue import Nudge
from windlass.store.beats import beats_at

LOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
  AND query LIKE 'DELETE FROM workers%'
"""


@asynccontextmanager
async def frozen(workshop: Workshop, worker: str) -> AsyncIterator[None]:
    """This worker has stopped in the middle of a transaction, and no server ends it for him."""
    connection = await asyncpg.connect(workshop.database.url)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM workers WHERE id = $1 FOR KEY SHARE", worker)
        yield
    await connection.close()


async def number(workshop: Workshop, query: str) -> int:
    async with workshop.database.read() as connection:
        return int((await connection.execute(text(query))).scalar_one())


async def test_whoever_is_dead_in_a_transaction_stops_nobody_elses_heart(
    workshop: Workshop,
) -> None:
    if workshop.database.dialect == "sqlite":
        pytest.skip("one writes at a time, and is killed with its process")
    me, dead = workshop.worker().crew, workshop.worker().crew
    for crew in (me, dead):
        await workshop.journal.enlist(crew)
    told: list[Collection[Nudge]] = []
    beats = f"SELECT beat FROM workers WHERE id = '{me.id}'"
    async with frozen(workshop, dead.id):
        pulse = Pulse(me.id, beats_at(workshop.database.url), lost=pytest.fail, freed=told.append)
        pulse.start()
        await until(lambda: number(workshop, LOCKED))
        goal = await number(workshop, beats) + 10
        while await number(workshop, beats) < goal:
            assert not pulse.faint
            assert await number(workshop, LOCKED) <= 1, "never twice for the same one"
            await asyncio.sleep(0.01)
        assert told == []
    await until(lambda: told == [[]])
    assert await number(workshop, "SELECT count(*) FROM workers") == 1
    pulse.stop()
    await asyncio.to_thread(pulse.join, 60)
    assert not pulse.is_alive()


async def test_a_pulse_stops_while_it_waits_for_the_dead(workshop: Workshop) -> None:
    if workshop.database.dialect == "sqlite":
        pytest.skip("one writes at a time, and is killed with its process")
    me, dead = workshop.worker().crew, workshop.worker().crew
    for crew in (me, dead):
        await workshop.journal.enlist(crew)
    async with frozen(workshop, dead.id):
        pulse = Pulse(me.id, beats_at(workshop.database.url), lost=pytest.fail, freed=pytest.fail)
        pulse.start()
        await until(lambda: number(workshop, LOCKED))
        pulse.stop()
        await asyncio.to_thread(pulse.join, 60)
        assert not pulse.is_alive()
        await until(lambda: pulse.retiring == {})
    assert await number(workshop, "SELECT count(*) FROM workers") == 2
