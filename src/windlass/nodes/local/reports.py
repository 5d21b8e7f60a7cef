"""What is seen of a gear: its folders, its programs, and whether they answer."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from windlass.model.gears import GearReport, InstanceReport, InstanceState, Place
from windlass.model.ids import GearId, InstanceId, ReleaseId
from windlass.nodes.local.builds import active, releases
from windlass.nodes.local.files import in_thread, read_json
from windlass.nodes.local.ground import HOST, Ground
from windlass.nodes.local.homes import published
from windlass.nodes.local.instances import program_name, runs_of
from windlass.nodes.local.layout import Home
from windlass.nodes.local.processes import memory
from windlass.nodes.local.supervisor import Supervisor
from windlass.nodes.local.supervisor_config import (
    BACKOFF,
    EXITED,
    FATAL,
    RUNNING,
    STARTING,
    Status,
)

DEADLINE = 1.0  # second in which an instance must answer
WHY = 2000  # bytes of a log that tell why
ERROR = re.compile(r"\s*[\w.]+(Error|Exception)\b")  # the line of a traceback that says it
EXIT = re.compile(r'"exit-code": (\d+)')


async def observe(ground: Ground, supervisor: Supervisor, gear: GearId) -> GearReport:
    """The gear as it is now."""
    place = ground.place(ground.home(gear))
    try:
        if place is not None:
            return await seen(ground, supervisor, gear, place)
    except FileNotFoundError:
        pass  # it is removed while we look
    return GearReport(gear, present=False)


async def seen(ground: Ground, supervisor: Supervisor, gear: GearId, place: Place) -> GearReport:
    """A gear that is there."""
    home = ground.home(gear)
    states = await supervisor.states()
    running = bool(states) or await supervisor.running()
    records = sorted((path.stem, read_json(path)) for path in home.instances.glob("*.json"))
    instances = await asyncio.gather(
        *(
            instance(home, InstanceId(id), record, states.get(program_name(gear, InstanceId(id))))
            if running
            else left(InstanceId(id), record)
            for id, record in records
            if record is not None
        )
    )
    return GearReport(
        gear,
        present=True,
        place=place,
        cartridges=frozenset(
            path.name for path in home.cartridges.iterdir() if not path.name.startswith(".")
        ),
        releases=releases(home),
        active=active(home),
        variables=published(home),
        instances=tuple(instances),
        memory=await in_thread(ground.pool, memory, programs(states, gear)),
    )


def programs(states: Mapping[str, Status], gear: GearId) -> set[int]:
    """The processes that the supervisor has started for this gear."""
    return {one.pid for name, one in states.items() if name.startswith(f"{gear}.") and one.pid}


async def left(id: InstanceId, record: Any) -> InstanceReport:
    """An instance that nobody runs."""
    why = "the supervisor of the gears does not run"
    address = f"{HOST}:{record['port']}"
    return InstanceReport(id, record["release"], InstanceState.CRASHED, address, why=why)


async def instance(
    home: Home, id: InstanceId, record: Any, status: Status | None
) -> InstanceReport:
    """An instance by its process, and by its answer where that runs."""
    runs = text(runs_of(home, id))
    restarts = max(0, runs.count("start\n") - 1)
    why = last_crash(home, id, runs) if restarts else None
    if status is not None and status.state in (BACKOFF, EXITED, FATAL):
        state, why = InstanceState.CRASHED, last_crash(home, id, runs)
    elif status is not None and status.state in (STARTING, RUNNING):
        answer = await probe(record["port"], record["health_path"])
        up = answer is not None and answer < 500
        state = InstanceState.UP if up else InstanceState.STARTING
        if answer is not None and not up:
            why = f"{record['health_path']} is answered with {answer}"
    else:
        state = InstanceState.STARTING
    address = f"{HOST}:{record['port']}"
    return InstanceReport(id, ReleaseId(record["release"]), state, address, restarts, why)


async def probe(port: int, path: str) -> int | None:
    """The status that the instance answers with, if it does in time."""
    with suppress(TimeoutError, OSError, ValueError, IndexError):
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                ask = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
                writer.write(ask.encode())
                return int((await reader.readline()).split()[1])
            finally:
                writer.close()
    return None


def last_crash(home: Home, id: InstanceId, runs: str) -> str:
    """How the last run ended, and the last that it said."""
    codes = EXIT.findall(runs)
    how = f"it ended with exit status {codes[-1]}" if codes else "it ended by itself"
    with suppress(FileNotFoundError):
        said = home.log(id).read_bytes()[-WHY:].decode(errors="replace")
        lines = said.strip().splitlines()[1 if len(said) == WHY else 0 :]  # the first may be half
        errors = [line.strip() for line in lines if ERROR.match(line)]
        first = errors[-1] if errors else how
        return "\n".join([first, *lines])
    return how


def text(path: Path) -> str:
    """A file's text, empty where there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
