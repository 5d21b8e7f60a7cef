"""What is seen of a gear: its folders, its programs, and whether they answer."""

import asyncio
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from windlass.model.gears import GearReport, InstanceReport, InstanceState, Place
from windlass.model.ids import GearId, InstanceId, ReleaseId
from windlass.model.sizes import MIB, Size, size_of
from windlass.nodes.local import disks
from windlass.nodes.local.builds import active
from windlass.nodes.local.files import in_thread, read_json, whole
from windlass.nodes.local.ground import Ground
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
AGAIN = 0.003  # seconds between tries to connect, while we have patience
WHY = 2000  # bytes of a log that tell why
ERROR = re.compile(r"\s*[\w.]+(Error|Exception)\b")  # the line of a traceback that says it
EXIT = re.compile(r'"exit-code": (\d+)')
START = re.compile(r"^start (\d+)$", re.MULTILINE)  # and how many were killed until then


async def observe(
    ground: Ground, supervisor: Supervisor, gear: GearId, patience: float
) -> GearReport:
    """The gear as it is now, or when its instances answer, if that is within `patience` seconds."""
    place = ground.place(ground.home(gear))
    try:
        if place is not None:
            return await seen(ground, supervisor, gear, place, patience)
    except FileNotFoundError:
        pass  # it is removed while we look
    return GearReport(gear, present=False)


async def seen(
    ground: Ground, supervisor: Supervisor, gear: GearId, place: Place, patience: float
) -> GearReport:
    """A gear that is there."""
    home = ground.home(gear)
    size = size_of(read_json(home.place)["size"])
    killed = 0 if ground.cgroups is None else ground.cgroups.killed(gear)
    look = Look(home, place, size, killed, patience)
    states = await supervisor.states()
    running = bool(states) or await supervisor.running()
    records = sorted((path.stem, read_json(path)) for path in home.instances.glob("*.json"))
    looks = (
        look.instance(InstanceId(id), record, states.get(program_name(gear, InstanceId(id))))
        if running
        else look.left(InstanceId(id), record)
        for id, record in records
        if record is not None
    )
    # Side by side: who waits for an answer is told of it at once.
    memory, disk, instances = await asyncio.gather(
        in_thread(ground.pool, memory_of, ground, gear, programs(states, gear)),
        in_thread(ground.pool, disks.used, home),
        asyncio.gather(*looks),
    )
    return GearReport(
        gear,
        present=True,
        place=place,
        cartridges=frozenset(whole(home.cartridges)),
        releases=frozenset(map(ReleaseId, whole(home.deployments))),
        active=active(home),
        variables=published(home),
        instances=tuple(instances),
        memory=memory,
        disk=disk,
        kills=killed,
    )


def memory_of(ground: Ground, gear: GearId, pids: set[int]) -> int | None:
    """The bytes that the gear holds: as its group counts, or all its processes together."""
    return memory(pids) if ground.cgroups is None else ground.cgroups.memory(gear)


def programs(states: Mapping[str, Status], gear: GearId) -> set[int]:
    """The processes that the supervisor has started for this gear."""
    return {one.pid for name, one in states.items() if name.startswith(f"{gear}.") and one.pid}


@dataclass(frozen=True)
class Look:
    """A look at the instances of a gear."""

    home: Home
    place: Place
    size: Size
    killed: int  # of the gear's processes until now, for want of memory
    patience: float  # seconds

    async def left(self, id: InstanceId, record: Any) -> InstanceReport:
        """An instance that nobody runs."""
        why = "the supervisor of the gears does not run"
        where = self.address(record)
        return InstanceReport(id, record["release"], InstanceState.CRASHED, where, why=why)

    async def instance(self, id: InstanceId, record: Any, status: Status | None) -> InstanceReport:
        """An instance by its process, and by its answer where that runs."""
        runs = Runs(text(runs_of(self.home, id)), self.killed)
        why = self.last_crash(id, runs) if runs.restarts else None
        state = InstanceState.STARTING
        if status is not None and status.state in (BACKOFF, EXITED, FATAL):
            state, why = InstanceState.CRASHED, self.last_crash(id, runs)
        elif status is not None and status.state in (STARTING, RUNNING):
            port, path = record["port"], record["health_path"]
            answer = await probe(self.place.address, port, path, self.patience)
            if answer is not None and answer < 500:
                state = InstanceState.UP
                why = self.starved(runs.kills) if runs.kills else why
            elif answer is not None:
                why = f"GET {path} is answered with {answer}"
        where, release = self.address(record), ReleaseId(record["release"])
        said = self.log_end(id) if state is InstanceState.STARTING else None
        return InstanceReport(id, release, state, where, runs.restarts, why, said)

    def address(self, record: Any) -> str:
        """Where an instance answers."""
        return f"{self.place.address}:{record['port']}"

    def last_crash(self, id: InstanceId, runs: "Runs") -> str:
        """How the last run ended, and the last that it said."""
        how = self.starved() if runs.starved else runs.how
        if said := self.log_end(id):
            lines = said.splitlines()
            errors = [line.strip() for line in lines if ERROR.match(line)]
            first = errors[-1] if errors and not runs.starved else how
            return "\n".join([first, *lines])
        return how

    def log_end(self, id: InstanceId) -> str | None:
        """The last lines of an instance's log."""
        with suppress(FileNotFoundError), self.home.log(id).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - WHY))
            said = log.read(WHY)
            lines = said.decode(errors="replace").strip().splitlines()
            whole = lines[1 if len(said) == WHY else 0 :]  # the first may be half a one
            return "\n".join(whole) or None
        return None

    def starved(self, kills: int = 1) -> str:
        """The system has killed for want of memory."""
        what = "it was" if kills == 1 else f"{kills} of its processes were"
        most = f"a {self.size.name} gear has {self.size.memory // MIB} MiB"
        return f"{what} killed for want of memory: {most}"


@dataclass(frozen=True)
class Runs:
    """What the launcher and bubblewrap have written down of an instance's runs."""

    told: str
    killed: int  # now

    @property
    def starts(self) -> list[int]:
        """How many had been killed at each start."""
        return [int(count) for count in START.findall(self.told)]

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, len(self.starts) - 1)

    @property
    def kills(self) -> int:
        """How many were killed since the last start."""
        return self.killed - self.starts[-1] if self.starts else 0

    @property
    def starved(self) -> bool:
        """Whether the last run that ended did so for want of memory."""
        counts = [*self.starts[-2:], self.killed]
        return any(later > earlier for earlier, later in pairwise(counts))

    @property
    def how(self) -> str:
        """How the last run ended."""
        codes = EXIT.findall(self.told)
        return f"it ended with exit status {codes[-1]}" if codes else "it ended by itself"


async def probe(host: str, port: int, path: str, patience: float) -> int | None:
    """The status that the instance answers with, if it accepts and answers in time."""
    with suppress(TimeoutError, OSError, ValueError, IndexError):
        async with asyncio.timeout(DEADLINE + patience):
            reader, writer = await connect(host, port, patience)
            try:
                ask = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
                writer.write(ask.encode())
                return int((await reader.readline()).split()[1])
            finally:
                writer.close()
    return None


async def connect(
    host: str, port: int, patience: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection; for `patience` seconds nobody listens yet."""
    end = time.monotonic() + patience
    while True:
        try:
            return await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(AGAIN)


def text(path: Path) -> str:
    """A file's text, empty where there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
