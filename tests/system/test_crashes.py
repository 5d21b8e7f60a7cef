"""Every operation, its worker killed before and after every write, forward and back.

Afterwards another worker goes on, and the job is wholly done, wholly taken back, or buried with
its reason: the picture of datastore and node is one of those that an undisturbed run leaves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from conftest import PostgresServer, fresh_database, served
from system.house import House
from system.scenarios import SCENARIOS, create, node
from system.traps import Trapped, lay
from system.trials import (
    Kill,
    copied,
    declare_dead,
    opened,
    run_and_kill,
    url_of,
    work,
    work_in,
)
from windlass.engine.job import Asker, Phase
from windlass.engine.lease import JobId
from windlass.engine.operation import Operation
from windlass.model.accounts import User
from windlass.model.ids import user_id
from windlass.operations.actions import (
    DumpThreads,
    ForceStop,
    ReloadApplication,
    TidyApplication,
)
from windlass.operations.aliases import AddAlias, RemoveAlias
from windlass.operations.applications import CreateApplication, DeleteApplication
from windlass.operations.domains import RenameDomain
from windlass.operations.health import ConfigureHealth
from windlass.operations.lifecycle import (
    RestartApplication,
    StartApplication,
    StopApplication,
    StopFull,
)
from windlass.operations.releases import DeployRelease
from windlass.operations.scaling import BoundScaling, ScaleApplication
from windlass.operations.strays import RemoveStray
from windlass.operations.variables import SetVariables
from windlass.store.schema import upgrade

USER = User(user_id(), "anna", False, 10, 20)


OPERATIONS = {
    AddAlias,
    RemoveAlias,
    RenameDomain,
    StopFull,
    CreateApplication,
    DeleteApplication,
    StartApplication,
    StopApplication,
    RestartApplication,
    ReloadApplication,
    DumpThreads,
    ForceStop,
    TidyApplication,
    ConfigureHealth,
    DeployRelease,
    ScaleApplication,
    BoundScaling,
    RemoveStray,
    SetVariables,
}
TABLES = (
    "holds", "applications", "gears", "instances", "releases", "routes", "secrets", "scopes",
    "changes",
)  # fmt: skip


async def picture(house: House) -> dict[str, Any]:
    """What datastore and node hold, without the ids and ports that every run chooses anew."""
    rows: dict[str, Any] = {}
    async with house.broker.store.database.read() as connection:
        for table in TABLES:
            others = " WHERE kind NOT LIKE 'domain%'" if table == "holds" else ""
            count = await connection.execute(text(f"SELECT count(*) FROM {table}{others}"))
            rows[table] = count.scalar_one()
        states = await connection.execute(text("SELECT state FROM applications"))
        rows["states"] = sorted(states.scalars())
        bounds = await connection.execute(text("SELECT scales_from, scales_to FROM applications"))
        rows["bounds"] = sorted(map(tuple, bounds))
        checks = await connection.execute(
            text("SELECT health_path, health_grace FROM applications")
        )
        rows["health"] = sorted(map(tuple, checks))
        values = await connection.execute(text("SELECT name, value FROM variables"))
        rows["variables"] = sorted(map(tuple, values))
        routed = await connection.execute(text("SELECT wanted, routed FROM instances"))
        rows["routed"] = sorted(map(tuple, routed))
    rows["gears"] = [await sight(house, gear) for gear in await node(house).gears()]
    rows["sources"] = len(list(house.broker.archives.iterdir()))
    return rows


async def sight(house: House, gear: Any) -> dict[str, Any]:
    report = await node(house).observe(gear)
    return {
        "cartridges": sorted(report.cartridges),
        "releases": len(report.releases),
        "active": report.active in report.releases if report.active else None,
        "instances": len(report.instances),
        "variables": sorted(report.variables),
        "told": told(house, gear),
    }


def told(house: House, gear: Any) -> dict[str, str]:
    """What a gear was told of its user's variables."""
    with node(house).store.change() as state:
        published: dict[str, str] = state["gears"][gear]["variables"]
    return {name: published[name] for name in ("OLD", "GONE", "NEW") if name in published}


async def prepared(folder: Path, prepare: Callable[[House], Awaitable[JobId]]) -> JobId:
    await upgrade(url_of(folder))
    async with opened(folder, USER) as house:
        await house.furnish()
        return await prepare(house)


async def outcome(folder: Path, job: JobId) -> tuple[Phase, dict[str, Any]]:
    """Whoever worked is dead; another worker goes on to the end."""
    async with opened(folder, USER) as house:
        await declare_dead(house.broker.journal)
        await work(house, job)
        view = await house.ended(job)
        assert view.trouble is None or view.trouble.text
        return view.phase, await picture(house)


def test_no_operation_is_left_out() -> None:
    ours = {kind for kind in concrete(Operation) if kind.__module__.startswith("windlass.")}
    assert ours == OPERATIONS


def concrete(base: type) -> set[type]:
    """The classes below that nobody builds on."""
    below = base.__subclasses__()
    return {base} if not below else set().union(*map(concrete, below))


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_every_write(name: str, tmp_path: Path) -> None:
    prepare, phases = SCENARIOS[name]
    base = tmp_path / "base"
    base.mkdir()
    job = asyncio.run(prepared(base, prepare))
    phase, expected = asyncio.run(outcome(copied(base, tmp_path / "undisturbed"), job))
    assert phase in phases
    kills = 0
    for at in range(1, 200):
        died = [try_kill(base, tmp_path, job, Kill(at, after), expected) for after in (False, True)]
        kills += sum(died)
        if not any(died):
            break
    assert kills >= 6
    print(f"{name}: {kills} kills")


def try_kill(base: Path, tmp_path: Path, job: JobId, kill: Kill, expected: dict[str, Any]) -> bool:
    folder = copied(base, tmp_path / "trial")
    died = run_and_kill(folder, USER, job, kill)
    if died:
        _, found = asyncio.run(outcome(folder, job))
        assert found == expected, kill
    return died


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server that need not survive anything: here only workers die."""
    yield from served("-c fsync=off -c autovacuum=off")


@pytest.mark.parametrize(
    "name", ["create", "deploy refused", "scale up refused", "set variables refused", "delete"]
)
def test_killed_at_every_commit(name: str, tmp_path: Path, postgres: PostgresServer) -> None:
    """The same on PostgreSQL, whose hot statements are others."""
    prepare, phases = SCENARIOS[name]
    base = tmp_path / "base"
    base.mkdir()
    (base / "url").write_text(asyncio.run(fresh_database(postgres)))
    job = asyncio.run(prepared(base, prepare))
    asyncio.run(lay(url_of(base)))
    trapped = Trapped(postgres, base)
    undisturbed = asyncio.run(trapped.copied(tmp_path / "undisturbed"))
    phase, expected = asyncio.run(outcome(undisturbed, job))
    assert phase in phases
    for at in range(1, 200):
        died = [trap(trapped, tmp_path, job, Kill(at, after), expected) for after in (False, True)]
        if not any(died):
            break
    assert at >= 4
    print(f"{name}: {2 * (at - 1)} kills")


def trap(trapped: Trapped, tmp_path: Path, job: JobId, kill: Kill, expected: Any) -> bool:
    folder = asyncio.run(trapped.copied(tmp_path / "trial"))
    died = trapped.killed(folder, kill, lambda: work_in(folder, USER, job, None))
    if died:
        _, found = asyncio.run(outcome(folder, job))
        assert found == expected, kill
    return died


async def test_a_cancel_between_crashes_takes_everything_back(tmp_path: Path) -> None:
    """Killed in the middle, cancelled, and killed again at every write of the way back."""
    base = tmp_path / "base"
    base.mkdir()
    job = await prepared(base, create)
    assert await asyncio.to_thread(run_and_kill, base, USER, job, Kill(14, True))
    async with opened(base, USER) as house:
        await declare_dead(house.broker.journal)
        await house.broker.cancel(job, Asker("anna"))
    phase, expected = await outcome(copied(base, tmp_path / "undisturbed"), job)
    assert phase is Phase.CANCELLED
    assert not any(expected[table] for table in TABLES)
    for at in range(1, 60):
        folder = copied(base, tmp_path / "trial")
        if not await asyncio.to_thread(run_and_kill, folder, USER, job, Kill(at, False)):
            break
        assert (await outcome(folder, job))[1] == expected
