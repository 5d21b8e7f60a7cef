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
from windlass.app import LOCAL
from windlass.engine.job import Asker, Phase
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.engine.operation import Operation
from windlass.model.accounts import User
from windlass.model.gears import Gear
from windlass.model.ids import app_id, gear_id, user_id
from windlass.nodes.file import FileNode
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


def node(house: House) -> FileNode:
    found = house.broker.nodes[LOCAL]
    assert isinstance(found, FileNode)
    return found


async def created(house: House) -> Any:
    creation = house.creation()
    await work(house, job := await house.ask(creation))
    assert (await house.ended(job)).phase is Phase.COMPLETE
    return creation.application


async def create(house: House) -> JobId:
    return await house.ask(house.creation())


async def create_refused(house: House) -> JobId:
    node(house).plant("install", "*", "refused")
    return await create(house)


async def create_ruined(house: House) -> JobId:
    node(house).plant("serve", "*", "refused")
    node(house).plant("remove", "*", "refused")
    return await create(house)


def event(name: str) -> Callable[[House], Awaitable[JobId]]:
    async def prepare(house: House) -> JobId:
        return await house.ask(house.event(await created(house), name))

    return prepare


async def start(house: House) -> JobId:
    id = await created(house)
    await work(house, await house.ask(house.event(id, "stop")))
    return await house.ask(house.event(id, "start"))


async def restart_that_does_not_answer(house: House) -> JobId:
    id = await created(house)
    node(house).plant("observe", "*", "crashed")
    return await house.ask(house.event(id, "restart"))


async def reload_refused(house: House) -> JobId:
    id = await created(house)
    node(house).plant("control", "*", "refused")
    return await house.ask(house.event(id, "reload"))


async def deploy(house: House) -> JobId:
    return await house.ask(house.deployment(await created(house)))


async def deploy_refused(house: House) -> JobId:
    id = await created(house)
    node(house).plant("build", "*", "refused")
    return await house.ask(house.deployment(id))


async def deploy_that_does_not_start(house: House) -> JobId:
    id = await created(house)
    node(house).plant("observe", "*", "crashed")
    return await house.ask(house.deployment(id))


async def delete(house: House) -> JobId:
    return await house.ask(house.deletion(await created(house)))


async def stray(house: House) -> JobId:
    gear = Gear(gear_id(), app_id(), 7)
    await node(house).create(gear, Lease(WorkerId("gone"), JobId(1), 1))
    return await house.ask(RemoveStray(gear.id, LOCAL))


async def scale_up(house: House) -> JobId:
    return await house.ask(house.scaling(await created(house), to=3))


async def scale_up_refused(house: House) -> JobId:
    """Of three, the last one whose release is copied, wherever it was begun."""
    id = await created(house)
    job = await house.ask(house.scaling(id, to=4))
    third = (await house.broker.store.quotas.reserved(job))[-1]
    node(house).plant("copy", third, "refused")
    return job


async def scale_up_that_does_not_answer(house: House) -> JobId:
    id = await created(house)
    node(house).plant("observe", "*", "crashed")
    return await house.ask(house.scaling(id, to=3))


async def scaled(house: House) -> Any:
    id = await created(house)
    await work(house, job := await house.ask(house.scaling(id, to=3)))
    assert (await house.ended(job)).phase is Phase.COMPLETE
    return id


async def scale_down(house: House) -> JobId:
    return await house.ask(house.scaling(await scaled(house), to=1))


async def scale_up_with_nothing_reserved(house: House) -> JobId:
    """What is reserved at the door counts gears that a job before this one takes away."""
    id = await scaled(house)
    first = await house.ask(house.scaling(id, to=1))
    last = await house.ask(house.scaling(id, to=3))
    await work(house, first)
    return last


async def configure(house: House) -> JobId:
    return await house.ask(house.configuration(await created(house), "/healthz", 90.0))


async def configure_ruined(house: House) -> JobId:
    id = await created(house)
    node(house).plant("serve", "*", "refused")
    return await house.ask(house.configuration(id, "/healthz", 90.0))


async def bound(house: House) -> JobId:
    return await house.ask(house.bounding(await created(house), 2, 4))


async def bound_refused(house: House) -> JobId:
    id = await created(house)
    node(house).plant("install", "*", "refused")
    return await house.ask(house.bounding(id, 2, 4))


async def deploy_to_three(house: House) -> JobId:
    return await house.ask(house.deployment(await scaled(house)))


async def deploy_to_three_refused(house: House) -> JobId:
    id = await scaled(house)
    last = (await house.broker.store.fleet.gears(id))[-1]
    node(house).plant("copy", last.gear.id, "refused")
    return await house.ask(house.deployment(id))


async def add_alias(house: House) -> JobId:
    return await house.ask(house.alias(await created(house)))


async def add_alias_refused(house: House) -> JobId:
    id = await created(house)
    node(house).plant("publish", "*", "refused")
    return await house.ask(house.alias(id))


async def remove_alias(house: House) -> JobId:
    id = await created(house)
    await work(house, await house.ask(house.alias(id)))
    return await house.ask(RemoveAlias(house.domain.id, id, "blog", house.ALIAS))


async def rename(house: House) -> JobId:
    await created(house)
    return await house.ask(RenameDomain(house.domain.id, "demo", "prod"))


async def rename_refused(house: House) -> JobId:
    await created(house)
    node(house).plant("publish", "*", "refused", 1)
    return await house.ask(RenameDomain(house.domain.id, "demo", "prod"))


async def stop_full(house: House) -> JobId:
    return await house.ask(StopFull(house.domain.id, await created(house), "blog"))


async def with_variables(house: House) -> Any:
    id = await created(house)
    await work(house, job := await house.ask(await house.setting(id, OLD="1", GONE="2")))
    assert (await house.ended(job)).phase is Phase.COMPLETE
    return id


async def set_variables(house: House) -> JobId:
    id = await with_variables(house)
    return await house.ask(await house.setting(id, OLD="3", GONE=None, NEW="4"))


async def set_variables_refused(house: House) -> JobId:
    """By every gear, for as long as the new one is among them."""
    id = await with_variables(house)
    await work(house, await house.ask(house.scaling(id, to=2)))
    node(house).plant("publish", "NEW", "refused")
    return await house.ask(await house.setting(id, OLD="3", GONE=None, NEW="4"))


async def set_variables_ruined(house: House) -> JobId:
    """A gear that will not be told what was before, either."""
    id = await with_variables(house)
    node(house).plant("publish", "*", "refused")
    return await house.ask(await house.setting(id, OLD="3", GONE=None, NEW="4"))


SCENARIOS = {
    "add alias": (add_alias, {Phase.COMPLETE}),
    "add alias refused": (add_alias_refused, {Phase.BURIED}),
    "remove alias": (remove_alias, {Phase.COMPLETE}),
    "rename": (rename, {Phase.COMPLETE}),
    "rename refused": (rename_refused, {Phase.FAILED, Phase.COMPLETE}),
    "stop full": (stop_full, {Phase.COMPLETE}),
    "set variables": (set_variables, {Phase.COMPLETE}),
    "set variables refused": (set_variables_refused, {Phase.FAILED}),
    "set variables ruined": (set_variables_ruined, {Phase.BURIED}),
    "scale up": (scale_up, {Phase.COMPLETE}),
    "scale up refused": (scale_up_refused, {Phase.FAILED}),
    "scale up that does not answer": (scale_up_that_does_not_answer, {Phase.FAILED}),
    "scale up with nothing reserved": (scale_up_with_nothing_reserved, {Phase.COMPLETE}),
    "scale down": (scale_down, {Phase.COMPLETE}),
    "configure": (configure, {Phase.COMPLETE}),
    "configure ruined": (configure_ruined, {Phase.BURIED}),
    "bound": (bound, {Phase.COMPLETE}),
    "bound refused": (bound_refused, {Phase.FAILED}),
    "deploy to three": (deploy_to_three, {Phase.COMPLETE}),
    "deploy to three refused": (deploy_to_three_refused, {Phase.FAILED}),
    "create": (create, {Phase.COMPLETE}),
    "create refused": (create_refused, {Phase.FAILED}),
    "create ruined": (create_ruined, {Phase.BURIED}),
    "stop": (event("stop"), {Phase.COMPLETE}),
    "start": (start, {Phase.COMPLETE}),
    "restart": (event("restart"), {Phase.COMPLETE}),
    "reload": (event("reload"), {Phase.COMPLETE}),
    "reload refused": (reload_refused, {Phase.FAILED}),
    "thread dump": (event("thread-dump"), {Phase.COMPLETE}),
    "force stop": (event("force-stop"), {Phase.COMPLETE}),
    "tidy": (event("tidy"), {Phase.COMPLETE}),
    "restart that does not answer": (restart_that_does_not_answer, {Phase.FAILED}),
    "deploy": (deploy, {Phase.COMPLETE}),
    "deploy refused": (deploy_refused, {Phase.FAILED}),
    "deploy that does not start": (deploy_that_does_not_start, {Phase.FAILED}),
    "delete": (delete, {Phase.COMPLETE}),
    "remove a stray": (stray, {Phase.COMPLETE}),
}
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
