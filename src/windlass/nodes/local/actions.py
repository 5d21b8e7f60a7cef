"""Actions on what runs in a gear: signals from outside, to whoever has said that it listens."""

import asyncio
import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from windlass.errors import Refused
from windlass.model.cartridges import Action, Cartridge
from windlass.model.ids import InstanceId
from windlass.nodes.local import homes
from windlass.nodes.local.disks import taken
from windlass.nodes.local.fence import Held
from windlass.nodes.local.files import in_thread
from windlass.nodes.local.ground import Ground
from windlass.nodes.local.instances import present, program_name
from windlass.nodes.local.layout import Home
from windlass.nodes.local.processes import family, started
from windlass.nodes.local.supervisor import Supervisor

QUIET = 0.3  # seconds without another line: what was asked for has been said
PATIENCE = 5.0  # seconds for the first line
LOOK_AGAIN = 0.05
DUMP = 64 << 10  # bytes of what was said, at most


async def control(
    held: Held, ground: Ground, supervisor: Supervisor, cartridge: Cartridge, action: Action
) -> str:
    """See Node."""
    home = ground.home(held.gear)
    ids = present(home, held.gear, supervisor)
    if action is Action.TIDY:
        return str(await tidy(held, ground, ids))
    if action is Action.KILL:
        await kill(held, ground, supervisor, ids)
        return ""
    number = cartridge.signals.get(action)
    logs = [home.log(one) for one in ids]
    before = [size(log) for log in logs]
    running = await processes(held, supervisor, ids)
    heard = [one for one in running if number is not None and send(*one, number, listening=True)]
    if number is None or not heard:
        raise Refused(f"nothing runs here that listens to {action}")
    if action is Action.RELOAD:
        return ""
    said = [await new_lines(log, since) for log, since in zip(logs, before, strict=True)]
    return "\n".join(text for text in said if text)


async def processes(
    held: Held, supervisor: Supervisor, ids: Collection[InstanceId]
) -> list[tuple[int, int | None]]:
    """Every process of these instances, as this machine numbers them, and when it began."""
    states = await supervisor.states()
    names = {program_name(held.gear, one) for one in ids}
    leaders = [one.pid for name, one in states.items() if name in names and one.pid > 1]
    running = await in_thread(supervisor.pool, family, leaders)
    return [(pid, started(pid)) for pid in running]


def send(pid: int, since: int | None, number: int, *, listening: bool = False) -> bool:
    """Signal this very process, if it is there and, where that is asked, has a handler.

    Without one most signals would end it: a worker's own children need not know of ours.
    """
    if pid <= 1:
        return False
    try:
        fd = os.pidfd_open(pid)  # from here on the number cannot come to mean another process
    except OSError:
        return False
    try:
        if since is None or started(pid) != since or (listening and not catches(pid, number)):
            return False
        signal.pidfd_send_signal(fd, number)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


async def kill(
    held: Held, ground: Ground, supervisor: Supervisor, ids: Collection[InstanceId]
) -> None:
    """End every process at once; first the supervisor is told not to start it again."""
    names = {program_name(held.gear, one) for one in ids}
    running = await processes(held, supervisor, ids)
    before = {name: one for name, one in (await supervisor.states()).items() if name in names}
    held.check()
    await asyncio.gather(*(supervisor.off(supervisor.stop, name) for name in before))
    for pid, since in running:
        send(pid, since, signal.SIGKILL)
    if ground.cgroups is not None:
        await in_thread(ground.pool, ground.cgroups.kill, held.gear)  # and who has left the family
    await supervisor.stopped(before)


async def tidy(held: Held, ground: Ground, ids: Collection[InstanceId]) -> int:
    """Take away caches and the logs that nobody writes to; the bytes that were in them."""
    home = ground.home(held.gear)
    old = [home.root / ".cache", *await in_thread(ground.pool, old_logs, home, set(ids))]
    freed = await in_thread(ground.pool, weight, old)
    await homes.delete(held, *old)
    return freed


def old_logs(home: Home, running: set[InstanceId]) -> list[Path]:
    """Logs of instances that are gone, and what was rotated away of the others."""
    present = {home.log(one) for one in running}
    return [path for path in home.logs.glob("*.log*") if path not in present]


def weight(paths: Collection[Path]) -> int:
    """The bytes that files and trees take on the disk."""
    return sum(taken(str(path)) for path in paths)


def size(log: Path) -> int:
    """How long a log is."""
    with suppress(FileNotFoundError):
        return log.stat().st_size
    return 0


async def new_lines(log: Path, since: int) -> str:
    """What is written to a log from here on, until nothing more comes; the end, if it is long."""
    now, deadline, quiet = since, time.monotonic() + PATIENCE, 0.0
    while time.monotonic() < deadline and (now == since or quiet < QUIET):
        await asyncio.sleep(LOOK_AGAIN)
        length = size(log)
        quiet = 0.0 if length != now else quiet + LOOK_AGAIN
        now = length
    if now == 0:
        return ""
    with log.open("rb") as file:  # one that was rotated meanwhile begins anew
        file.seek(max(since if now >= since else 0, now - DUMP))
        return file.read(DUMP).decode(errors="replace")
