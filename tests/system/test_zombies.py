"""Workers that are declared dead and go on, on both datastores: nothing that they do counts."""

import signal
from pathlib import Path
from typing import Any

import pytest

from conftest import until
from engine.shop import Workshop
from system.house import House
from system.yard import PATIENCE, Crew, Errand, Hand, Yard, close_gate
from windlass.app import LOCAL
from windlass.engine.job import Phase
from windlass.engine.lease import JobId
from windlass.engine.tries import EX_SOFTWARE
from windlass.nodes.file import FileNode
from windlass.store.database import Database
from windlass.store.tables import events, jobs, workers

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


@pytest.fixture
def crew(tmp_path: Path, database_url: str) -> Any:
    with Crew(tmp_path, database_url) as crew:
        yield crew


async def written(database: Database, job: JobId) -> tuple[Any, list[Any]]:
    """A job's row and its events."""
    async with database.read() as connection:
        row = (await connection.execute(jobs.select().where(jobs.c.id == job))).one()
        told = events.select().where(events.c.job == job).order_by(events.c.number)
        return row, list((await connection.execute(told)).all())


async def registered(database: Database) -> set[str]:
    async with database.read() as connection:
        rows = await connection.execute(workers.select())
        return {row.id for row in rows}


async def left_in_good_order(zombie: Hand) -> None:
    assert await zombie.ended() == 0, zombie.told()
    assert "worker.declared_dead" in zombie.told()
    assert "worker.left" in zombie.told()


async def test_a_zombie_in_a_step_writes_nothing(
    workshop: Workshop, crew: Crew, yard: Yard
) -> None:
    held = close_gate(yard.folder, "a")
    job = await workshop.submit(Errand("p1", "a b"))
    zombie = crew.hire()
    await until(held.exists, PATIENCE)
    (name,) = await registered(workshop.database)
    await zombie.freeze(crew.url)
    crew.hire()
    assert await workshop.ended(job, patience=PATIENCE) == [Phase.COMPLETE]
    before = await written(workshop.database, job)
    held.unlink()
    zombie.signal(signal.SIGCONT)
    await left_in_good_order(zombie)
    assert await written(workshop.database, job) == before
    row, told = before
    assert [event.lease for event in told] == sorted(event.lease for event in told)
    assert told[-1].lease == row.lease >= 2
    assert [(deed.item, deed.lease) for deed in yard.read(job)] == [
        ("a", row.lease),
        ("b", row.lease),
    ]
    assert name not in await registered(workshop.database)


async def test_a_zombie_in_a_node_call_does_nothing(house: House, crew: Crew) -> None:
    node = house.broker.nodes[LOCAL]
    assert isinstance(node, FileNode)
    held = close_gate(crew.folder / "node", "install")
    job = await house.ask(house.creation())
    zombie = crew.hire(world="house")
    await until(held.exists, PATIENCE)
    await zombie.freeze(crew.url)
    crew.hire(world="house")
    await until(lambda: ended(house, job), PATIENCE)
    database = house.broker.store.database
    before, effects = await written(database, job), node.effects()
    assert before[0].phase == Phase.COMPLETE
    held.unlink()
    zombie.signal(signal.SIGCONT)
    await left_in_good_order(zombie)
    assert await written(database, job) == before
    assert node.effects() == effects
    numbers = [effect.number for effect in effects]
    assert numbers == sorted(numbers)
    assert {effect.number for effect in effects if effect.call == "install"} == {before[0].lease}


async def ended(house: House, job: JobId) -> bool:
    view = await house.broker.store.jobs.get(job)
    return view is not None and view.phase.ended


async def test_a_worker_whose_loop_is_stuck_ends_itself(
    workshop: Workshop, crew: Crew, yard: Yard
) -> None:
    (yard.folder / "bed").touch()
    job = await workshop.submit(Errand("p1", "a", sleep=True))
    stuck = crew.hire("STUCK=4")
    await until((yard.folder / "slept").exists, PATIENCE)
    crew.hire()
    assert await stuck.ended() == EX_SOFTWARE, stuck.told()
    assert await workshop.ended(job, patience=PATIENCE) == [Phase.COMPLETE]
    assert [deed.item for deed in yard.read(job)] == ["a"]
