"""The database restarted, a worker killed, a worker sent home: all that was asked is done."""

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from conftest import PostgresServer, fresh_database, until
from engine.shop import Workshop
from servers import quiet_port
from system.yard import PATIENCE, Crew, Errand, Yard, close_gate
from windlass.engine.lease import JobId
from windlass.errors import Transient
from windlass.store.database import Database
from windlass.store.schema import upgrade

JOBS = 1000
CRASHES = 5
SLOTS = 20  # of each worker
CALM = "STANDSTILL=5"  # seconds; a worker that only gets no processor must not be taken for dead
CALMEST = "STANDSTILL=60"  # nothing is cut off, however long the server takes to come again
AWAY = 7.0  # seconds that the server is down: longer than that

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that this test alone may stop, at a port that nobody takes meanwhile."""
    server = PostgresServer()
    server.port = quiet_port()
    server.options = "-c wal_writer_delay=10s"  # what nobody waits for may well be lost
    try:
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
async def restarted(own_server: PostgresServer) -> AsyncIterator[Workshop]:
    url = await fresh_database(own_server)
    await upgrade(url)
    database = Database(url)
    yield Workshop(database)
    await database.close()


async def rows(workshop: Workshop, query: str) -> list[tuple[object, ...]]:
    """All rows, as soon as the datastore is there."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with workshop.database.read() as connection:
                    return [tuple(row) for row in await connection.execute(text(query))]
            except Transient:
                await asyncio.sleep(0.1)


async def all_complete(workshop: Workshop) -> bool:
    phases = await rows(workshop, "SELECT DISTINCT phase FROM jobs")
    return phases == [("complete",)]


async def registered(workshop: Workshop) -> list[tuple[object, ...]]:
    return await rows(workshop, "SELECT id, pid FROM workers ORDER BY id")


def times(yard: Yard) -> Counter[tuple[int, str]]:
    """How often each step was done."""
    return Counter((deed.job, deed.item) for deed in yard.read())


async def test_the_database_restarts_in_the_middle(
    restarted: Workshop, own_server: PostgresServer, yard: Yard
) -> None:
    url = restarted.database.url
    asked = [await restarted.submit(Errand(f"p{n}", "a b")) for n in range(JOBS)]
    with Crew(yard.folder, url) as crew:
        hands = [crew.hire(CALM), crew.hire(CALM)]
        await until(lambda: two_work(restarted), PATIENCE)
        await until(lambda: len(yard.read()) >= JOBS // 3, PATIENCE)
        before = await registered(restarted)
        await asyncio.to_thread(own_server.stop)
        done = times(yard)
        await asyncio.sleep(AWAY)
        await asyncio.to_thread(own_server.start)
        await until(lambda: all_complete(restarted), PATIENCE)
        assert await registered(restarted) == before
        for hand in hands:
            assert "declared_dead" not in hand.told()
    assert sum(done.values()) < 2 * JOBS
    again = times(yard)
    assert set(again) == {(job, item) for job in asked for item in "ab"}
    assert max(again.values()) <= 2
    assert sum(count == 2 for count in again.values()) <= 2 * SLOTS  # what was in flight


async def test_a_server_that_crashes_again_and_again_gives_no_job_to_two(
    restarted: Workshop, own_server: PostgresServer, yard: Yard
) -> None:
    """Each time, workers think over what they have just claimed.

    If a crash has taken a claim with it, the job may be claimed again, by the same worker too:
    only one of the two may act, or the datastore forgets who works on what.
    """
    asked: list[JobId] = []
    with Crew(yard.folder, restarted.database.url) as crew:
        hands = [crew.hire(CALMEST), crew.hire(CALMEST)]
        await until(lambda: two_work(restarted), PATIENCE)
        before = await registered(restarted)
        for crash in range(CRASHES):
            thoughts = [f"c{crash}t{n}" for n in range(SLOTS)]
            held = [close_gate(yard.folder, thought) for thought in thoughts]
            asked += [await ask(restarted, Errand(one, "a b", thought=one)) for one in thoughts]
            await until(lambda held=held: all(one.exists() for one in held), PATIENCE)
            await asyncio.to_thread(own_server.stop)
            await asyncio.to_thread(own_server.start)
            for one in held:
                one.unlink()
        await until(lambda: all_complete(restarted), PATIENCE)
        assert await registered(restarted) == before
        for hand in hands:
            assert "declared_dead" not in hand.told()
    assert times(yard) == {(job, item): 1 for job in asked for item in "ab"}


async def ask(workshop: Workshop, errand: Errand) -> JobId:
    """Ask as a client does: again, with the same key, until there is an answer."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await workshop.submit(errand, key=errand.place)
            except Transient:
                await asyncio.sleep(0.1)


async def two_work(workshop: Workshop) -> bool:
    return len(await registered(workshop)) == 2


async def in_hand(workshop: Workshop, yard: Yard, crew: Crew) -> list[JobId]:
    """As many jobs as a worker has slots for, each in its first step, whose gate is closed."""
    for n in range(SLOTS):
        close_gate(yard.folder, f"a{n}")
    asked = [await workshop.submit(Errand(f"p{n}", f"a{n} b{n}")) for n in range(SLOTS)]
    await until(lambda: len(list(yard.folder.glob("held-*"))) == SLOTS, PATIENCE)
    return asked


async def test_a_killed_workers_jobs_run_elsewhere(
    workshop: Workshop, yard: Yard, database_url: str
) -> None:
    with Crew(yard.folder, database_url) as crew:
        first = crew.hire()
        asked = await in_hand(workshop, yard, crew)
        first.signal(signal.SIGKILL)
        await first.ended()
        crew.hire()
        await until(lambda: all_complete(workshop), PATIENCE)
    assert set(times(yard).values()) == {1}
    assert {deed.job for deed in yard.read()} == set(asked)
    assert all(deed.lease >= 2 for deed in yard.read())


async def test_a_worker_that_is_sent_home_hands_over_at_once(
    workshop: Workshop, yard: Yard, database_url: str
) -> None:
    with Crew(yard.folder, database_url) as crew:
        first = crew.hire()
        await in_hand(workshop, yard, crew)
        first.signal(signal.SIGTERM)
        for held in yard.folder.glob("held-*"):
            held.unlink()
        assert await first.ended() == 0, first.told()
        assert await registered(workshop) == []
        left = "SELECT count(*) FROM jobs WHERE phase <> 'complete' AND NOT claimable"
        assert await rows(workshop, left) == [(0,)]
        second = crew.hire()
        await until(lambda: all_complete(workshop), PATIENCE)
        assert "worker.rescued" not in second.told()
    assert len(times(yard)) == 2 * SLOTS
    assert set(times(yard).values()) == {1}
