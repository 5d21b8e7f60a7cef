"""Instances: releases that run, each a program of the supervisor."""

import asyncio
from collections.abc import Collection
from pathlib import Path

from windlass.errors import Refused
from windlass.model.cartridges import Cartridge
from windlass.model.gears import Instance
from windlass.model.ids import GearId, InstanceId
from windlass.nodes.local import ports
from windlass.nodes.local.fence import Held
from windlass.nodes.local.files import in_thread, read_json, write_json
from windlass.nodes.local.ground import Gate, Ground
from windlass.nodes.local.homes import release_bind
from windlass.nodes.local.layout import Home
from windlass.nodes.local.supervisor import Program, Supervisor
from windlass.nodes.local.supervisor_config import RUNS

STOP_SECONDS = 10  # from SIGTERM to SIGKILL
LOGS = 10  # of instances that are gone, the newest


def program_name(gear: GearId, instance: InstanceId) -> str:
    """What the supervisor calls an instance."""
    return f"{gear}.{instance}"


async def serve(
    held: Held,
    gate: Gate,
    supervisor: Supervisor,
    cartridge: Cartridge,
    instances: Collection[Instance],
) -> None:
    """Start what is missing, then stop the rest: traffic may move in between."""
    for one in instances:
        if not gate.home.release(one.release).is_dir():
            raise Refused(f"release {one.release} was not built in this gear")
    if instances and not gate.home.cartridge(cartridge.name).is_dir():
        raise Refused(f"cartridge {cartridge.name} is not installed in this gear")
    # What has no record has no program either: the record is the first to come, the last to go.
    old = any(gate.home.instance(one.id).exists() for one in instances)
    states = await supervisor.states() if old else {}
    for one in instances:
        status = states.get(program_name(gate.gear, one.id))
        if status is None or status.state not in RUNS:
            held.check()
            await start(gate, supervisor, cartridge, one)
        ask_at(gate.home, cartridge, one)
    await stop(held, gate.ground, supervisor, {one.id for one in instances})


async def start(
    gate: Gate, supervisor: Supervisor, cartridge: Cartridge, instance: Instance
) -> None:
    """Let the instance run, at the port that it had if it had one."""
    name = program_name(gate.gear, instance.id)
    record = read_json(gate.home.instance(instance.id))
    if record is None:
        record = {
            "release": instance.release,
            "cartridge": cartridge.name,
            "port": ports.own(gate.home)
            if gate.ground.network
            else ports.take(gate.ground.layout, name),
            "health_path": health_path(cartridge, instance),
        }
        write_json(gate.home.instance(instance.id), record)
    await supervisor.add(program(gate, instance, record["cartridge"], record["port"]))


def ask_at(home: Home, cartridge: Cartridge, instance: Instance) -> None:
    """The path that an instance is asked at, also where it was another when it began."""
    record, path = read_json(home.instance(instance.id)), health_path(cartridge, instance)
    if record["health_path"] != path:
        write_json(home.instance(instance.id), {**record, "health_path": path})


def health_path(cartridge: Cartridge, instance: Instance) -> str:
    """The application's own path, or its cartridge's."""
    return cartridge.health_path if instance.health_path is None else instance.health_path


def program(gate: Gate, instance: Instance, cartridge: str, port: int) -> Program:
    """The instance as the supervisor is to run it."""
    release = gate.home.release(instance.release)
    env = {**gate.environment(instance.release), "PORT": str(port)}
    launch = gate.launch(
        [gate.cartridge(cartridge, "control"), "start"],
        env,
        binds=(release_bind(release, instance.release),),
        directory=env["OPENSHIFT_REPO_DIR"],
        runs=runs_of(gate.home, instance.id),
        # The supervisor's session has no terminal, and a session of its own would keep the
        # program from hearing SIGTERM, which goes to the process group.
        new_session=False,
    )
    return Program(
        program_name(gate.gear, instance.id),
        launch.argv,
        env,
        gate.home.log(instance.id),
        stop_seconds=STOP_SECONDS,
        launch=launch,
    )


def runs_of(home: Home, instance: InstanceId) -> Path:
    """Where the launcher writes down every start, and bubblewrap every end."""
    return home.instance(instance).with_suffix(".runs")


async def stop(
    held: Held, ground: Ground, supervisor: Supervisor, but: Collection[InstanceId]
) -> None:
    """Stop every instance of the gear but these, side by side."""
    home = ground.home(held.gear)
    gone = present(home, held.gear, supervisor) - set(but)
    held.check()
    await asyncio.gather(*(supervisor.remove(program_name(held.gear, one)) for one in gone))
    if not but and ground.cgroups is not None:
        await in_thread(ground.pool, ground.cgroups.kill, held.gear)  # what is slow in dying
    prefix = program_name(held.gear, InstanceId(""))
    ports.release(ground.layout, prefix, {program_name(held.gear, one) for one in but})
    for one in gone:
        home.instance(one).unlink(missing_ok=True)
        runs_of(home, one).unlink(missing_ok=True)
    prune(home, set(but))


def present(home: Home, gear: GearId, supervisor: Supervisor) -> set[InstanceId]:
    """The instances that have a record or a program; a crash may have left one without other."""
    programs = (name.partition(".") for name in supervisor.known())
    known = {InstanceId(instance) for owner, _, instance in programs if owner == gear}
    return known | {InstanceId(path.stem) for path in home.instances.glob("*.json")}


def prune(home: Home, running: set[InstanceId]) -> None:
    """Keep the newest logs of instances that are gone."""
    logs = [path for path in home.logs.glob("*.log*") if path.name.partition(".")[0] not in running]
    logs.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in logs[LOGS:]:
        path.unlink(missing_ok=True)
