"""The crash matrix against the `local` node: real processes, killed worker by killed worker.

A worker is killed at a write, another goes on, and the application is wholly there or wholly gone,
as after an undisturbed run; in the end nothing of any of them is left.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from system.house import House
from system.trials import Kill, declare_dead, failing, forked, work
from windlass.app import LOCAL, open_broker
from windlass.engine.job import Phase
from windlass.engine.lease import JobId
from windlass.engine.operation import Operation
from windlass.model.accounts import User
from windlass.model.ids import AppId, user_id
from windlass.nodes.local.node import LocalNode
from windlass.settings import Settings
from windlass.store.schema import upgrade

USER = User(user_id(), "anna", False, 10, 20)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because sockets lie below."""
    folder = Path(tempfile.mkdtemp(prefix="wsoak"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def opened(folder: Path, kill: Kill | None = None) -> AsyncIterator[House]:
    settings = Settings(data=folder, database=f"sqlite:///{folder / 'windlass.db'}", node="local:")
    broker = await open_broker(settings, failing(settings.database_url, kill))
    house = House(broker, settings)
    house.user = USER
    if domain := await house.broker.store.domains.find("demo"):
        house.domain = domain
    try:
        yield house
    finally:
        await broker.close()


def node(house: House) -> LocalNode:
    found = house.broker.nodes[LOCAL]
    assert isinstance(found, LocalNode)
    return found


async def furnished(folder: Path) -> None:
    await upgrade(f"sqlite:///{folder / 'windlass.db'}")
    async with opened(folder) as house:
        await house.furnish()
        await node(house).start()
        await node(house).prepare()


async def shut_down(folder: Path) -> None:
    async with opened(folder) as house:
        assert await node(house).gears() == set()
        await node(house).shutdown()


async def ready(folder: Path, name: str) -> AppId:
    """An application that is up, for an operation that needs one."""
    async with opened(folder) as house:
        creation = house.creation()
        if name != "create":
            await work(house, await house.ask(creation))
        if name == "start":
            stop = house.event(creation.application, "stop")
            await work(house, await house.ask(stop))
        return creation.application


def operation(house: House, name: str, id: AppId) -> Operation[Any]:
    if name == "create":
        return replace(house.creation(), application=id)
    if name == "deploy":
        return house.deployment(id)
    return house.deletion(id) if name == "delete" else house.event(id, name)


async def asked(folder: Path, name: str, id: AppId) -> JobId:
    async with opened(folder) as house:
        return await house.ask(operation(house, name, id))


async def finished(folder: Path, name: str, job: JobId, id: AppId) -> None:
    """Another worker goes on to the end; then everything is taken away."""
    async with opened(folder) as house:
        await declare_dead(house.broker.journal)
        await work(house, job)
        view = await house.ended(job)
        assert view.phase is Phase.COMPLETE, view.trouble
        running = [
            instance.state
            for gear in await node(house).gears()
            for instance in (await node(house).observe(gear)).instances
        ]
        assert len(running) == (0 if name in ("stop", "delete") else 1)
        await work(house, await house.ask(house.deletion(id)))
        assert await house.is_empty()


async def work_in(folder: Path, job: JobId, kill: Kill) -> None:
    async with opened(folder, kill) as house:
        await work(house, job)


@pytest.mark.parametrize("name", ["create", "stop", "start", "restart", "deploy", "delete"])
def test_killed_at_every_write(name: str, folder: Path, request: pytest.FixtureRequest) -> None:
    asyncio.run(furnished(folder))
    kills, at = 0, 1
    while True:
        id = asyncio.run(ready(folder, name))
        job = asyncio.run(asked(folder, name, id))
        kill = Kill(at, after=at % 2 == 0)
        died = forked(lambda job=job, kill=kill: work_in(folder, job, kill))
        asyncio.run(finished(folder, name, job, id))
        kills += died
        at += request.config.getoption("--every")
        if not died:
            break
    asyncio.run(shut_down(folder))
    print(f"{name}: {kills} kills")
    assert kills
