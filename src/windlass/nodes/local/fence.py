"""The fence around a gear: one call at a time, and none that comes with an old lease."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass.engine.lease import Lease
from windlass.errors import LeaseLost
from windlass.model.ids import GearId
from windlass.nodes.local.files import locked, read_json, write_json
from windlass.nodes.local.layout import safe
from windlass.nodes.local.processes import kill_group, kill_if_frozen, started

LOOK_AGAIN = 0.05  # seconds between two tries for the lock


@dataclass(frozen=True)
class Held:
    """A gear that is ours alone while our lease is the latest."""

    fence: "Fence"
    gear: GearId
    by: Lease
    lock: int  # an open file; whoever inherits it holds the lock too

    def check(self) -> None:
        """Raise LeaseLost if a later lease has come meanwhile."""
        self.fence.see(self.gear, self.by)

    def note(self, pid: int) -> None:
        """Write down a process group that we have started, for those who come after us."""
        self.fence.note(self.gear, self.by, [[pid, started(pid)]])

    def forget(self) -> None:
        """The group has ended."""
        self.fence.note(self.gear, self.by, [])


class Fence:
    """Per gear a lock, and a record of the highest lease and of what it has started.

    They lie outside the homes and stay when a gear is removed, so that a call that comes late
    does not bring it back.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @asynccontextmanager
    async def hold(self, gear: GearId, by: Lease) -> AsyncIterator[Held]:
        """The gear alone; what an earlier lease still does there is killed first."""
        self.see(gear, by)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        lock = os.open(self.folder / f"{safe(gear)}.lock", flags, 0o600)
        try:
            while not taken(lock):
                kill_if_frozen(*holder(lock))
                await asyncio.sleep(LOOK_AGAIN)
                self.see(gear, by)
            sign(lock)
            # Whoever left this behind died with its worker, under this very lease or an earlier.
            self.note(gear, by, [])
            yield Held(self, gear, by, lock)
        finally:
            os.close(lock)

    def see(self, gear: GearId, by: Lease) -> None:
        """Raise LeaseLost if there was a later lease; kill what an earlier one has started."""
        with locked(self.guard(gear)):
            record = self.record(gear)
            if by.order < tuple(record["order"]):
                raise LeaseLost(f"a later lease than job {by.job} has worked on gear {gear}")
            if by.order > tuple(record["order"]):
                kill_all(record["groups"])
                self.write(gear, {"order": by.order, "groups": []})

    def note(self, gear: GearId, by: Lease, groups: list[Any]) -> None:
        """Replace the record of what this lease has started, after killing what else it names."""
        with locked(self.guard(gear)):
            record = self.record(gear)
            if by.order < tuple(record["order"]):
                raise LeaseLost(f"a later lease than job {by.job} has worked on gear {gear}")
            kill_all(record["groups"])
            if record != (now := {"order": list(by.order), "groups": groups}):
                self.write(gear, now)

    def record(self, gear: GearId) -> Any:
        """The highest lease and its process groups; none after a loss of power that spoilt it."""
        with suppress(ValueError):
            if (told := read_json(self.path(gear))) is not None:
                return told
        return {"order": [0, 0], "groups": []}

    def write(self, gear: GearId, record: Any) -> None:
        """Replace that; with its power this machine loses all those whom it keeps out."""
        write_json(self.path(gear), record, lasting=False)

    def path(self, gear: GearId) -> Path:
        """The record's file."""
        return self.folder / f"{safe(gear)}.json"

    def guard(self, gear: GearId) -> Path:
        """A lock on the record alone, never held for long."""
        return self.folder / f"{safe(gear)}.guard"


def taken(lock: int) -> bool:
    """Take the lock if it is free."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sign(lock: int) -> None:
    """Leave our name in a lock that we have taken."""
    me = os.getpid()
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{me} {started(me)}".encode(), 0)


def holder(lock: int) -> tuple[int, int | None]:
    """Who has signed a lock: pid and start time.

    It is one whom we have followed, since our lease is the latest: he was declared dead. Awake he
    would let go by himself; frozen he would keep the gear from everybody, and is to be ended.
    """
    pid, _, since = os.pread(lock, 100, 0).decode().partition(" ")
    return (int(pid), int(since)) if pid.isdecimal() and since.isdecimal() else (0, None)


def kill_all(groups: list[Any]) -> None:
    """Kill process groups, told by pid and start time."""
    for pid, since in groups:
        kill_group(pid, since)
