"""Control groups: how much memory, how many processes and how much processor time a gear gets.

Version 2 or 1, whichever has the controllers; in version 1 each controller has a tree of its own.
"""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from windlass.errors import Refused, Transient
from windlass.model.ids import GearId
from windlass.model.sizes import Size

MOUNTS = Path("/proc/self/mountinfo")
OWN = Path("/proc/self/cgroup")
CONTROLLERS = ("memory", "pids", "cpu")
PERIOD = 100_000  # microseconds in which a gear may use its share of processor time
DEATH = 10.0  # seconds until killed processes have left
LOOK_AGAIN = 0.01  # seconds
NEEDED = (
    "gears need control groups for memory, pids and cpu, which this machine does not give us "
    "({}). A container: mount the host's, writable, or say --share limits"
)


@dataclass(frozen=True)
class Trees:
    """Where each controller's groups are; in version 2 all are in one."""

    version: int
    roots: Mapping[str, Path]

    def folders(self, name: str) -> list[Path]:
        """The folders of a group, without repetition."""
        return list(dict.fromkeys(root / name for root in self.roots.values()))

    def own(self, told: str) -> Path | None:
        """The file of the group that a process is in, as its `/proc/PID/cgroup` tells."""
        for line in told.splitlines():
            _, names, path = line.split(":", 2)
            ours = CONTROLLERS if self.version == 2 and not names else names.split(",")
            for name in ours:
                if name in self.roots and ".." not in path:  # a container sees no way there
                    return self.roots[name] / path.lstrip("/") / "cgroup.procs"
        return None


def trees() -> Trees:
    """The trees of this machine; Refused, with the fix, where they lack a controller."""
    found = find(MOUNTS.read_text())
    if found is None:
        raise Refused(NEEDED.format("they are not mounted"))
    return found


def find(mountinfo: str) -> Trees | None:
    """The trees with all our controllers, as `/proc/self/mountinfo` tells; None if some lack."""
    first: dict[str, Path] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        where = Path(before.split(" ")[4])
        if kind == "cgroup2" and (told := available(where)) >= set(CONTROLLERS):
            return Trees(2, dict.fromkeys(sorted(told & set(CONTROLLERS)), where))
        if kind == "cgroup":
            for name in set(options.split(" ")[-1].split(",")) & set(CONTROLLERS):
                first.setdefault(name, where)
    return Trees(1, first) if len(first) == len(CONTROLLERS) else None


def available(root: Path) -> set[str]:
    """The controllers of a tree of version 2."""
    with suppress(OSError):
        return set((root / "cgroup.controllers").read_text().split())
    return set()


def limits(size: Size, version: int) -> list[tuple[str, str, str]]:
    """Controller, file and value for each limit of a size."""
    quota = int(size.cores * PERIOD)
    if version == 2:
        weight = max(1, size.weight * 100 // 1024)  # 1024 shares were the usual 100
        return [
            ("memory", "memory.max", str(size.memory)),
            ("memory", "memory.swap.max", "0"),
            ("pids", "pids.max", str(size.processes)),
            ("cpu", "cpu.max", f"{quota} {PERIOD}"),
            ("cpu", "cpu.weight", str(weight)),
        ]
    return [
        ("memory", "memory.limit_in_bytes", str(size.memory)),
        ("memory", "memory.memsw.limit_in_bytes", str(size.memory)),
        ("pids", "pids.max", str(size.processes)),
        ("cpu", "cpu.cfs_period_us", str(PERIOD)),
        ("cpu", "cpu.cfs_quota_us", str(quota)),
        ("cpu", "cpu.shares", str(size.weight)),
    ]


OPTIONAL = ("memory.swap.max", "memory.memsw.limit_in_bytes")  # not where swap is not accounted


@dataclass(frozen=True)
class Cgroups:
    """The groups of one installation: one for all its gears, and in it one for each."""

    trees: Trees
    name: str  # of the installation's group

    def prepare(self) -> None:
        """The installation's group; all gears together weigh as much as anybody else.

        Refused, with the fix, where that is not allowed.
        """
        try:
            for folder in self.trees.folders(self.name):
                if self.trees.version == 2:
                    hand_down(folder.parent)
                folder.mkdir(exist_ok=True)
                if self.trees.version == 2:
                    hand_down(folder)
        except OSError as error:
            raise Refused(NEEDED.format(error.strerror)) from None

    def folder(self, gear: GearId, controller: str) -> Path:
        """A gear's group, as far as a controller is concerned."""
        return self.trees.roots[controller] / self.name / gear

    def folders(self, gear: GearId) -> list[Path]:
        """A gear's group in every tree."""
        return self.trees.folders(f"{self.name}/{gear}")

    def doors(self, gear: GearId) -> list[str]:
        """The files that a process enters the group by, with its own pid."""
        return [str(folder / "cgroup.procs") for folder in self.folders(gear)]

    def gears(self) -> set[GearId]:
        """The gears that have a group."""
        found = set()
        for folder in self.trees.folders(self.name):
            with suppress(FileNotFoundError):
                found |= {GearId(path.name) for path in folder.iterdir() if path.is_dir()}
        return found

    def add(self, gear: GearId, size: Size) -> None:
        """The gear's group with its limits, now those of this size."""
        for folder in self.folders(gear):
            folder.mkdir(exist_ok=True, parents=True)
        for controller, file, value in limits(size, self.trees.version):
            path = self.folder(gear, controller) / file
            if file in OPTIONAL and not path.exists():
                continue
            path.write_text(value)

    def expect(self) -> None:
        """Somebody is about to enter a group, who would wait for the kernel: we do so now.

        It waits until every processor has been at rest (an RCU grace period, 5 to 15 ms), unless
        somebody has entered a group just before: that may as well be us, and our own.
        """
        with suppress(OSError):
            door = self.trees.own(OWN.read_text())
            if door is not None:
                door.write_text(str(os.getpid()))

    def remove(self, gear: GearId) -> None:
        """No process is left in the group, and then no group."""
        self.kill(gear)
        for folder in self.folders(gear):
            with suppress(FileNotFoundError):
                folder.rmdir()

    def kill(self, gear: GearId) -> None:
        """Kill whoever is in the group, again and again, until nobody is."""
        end = time.monotonic() + DEATH
        while pids := self.members(gear):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > end:
                raise Transient(f"processes of gear {gear} do not die: {sorted(pids)[:5]}")
            time.sleep(LOOK_AGAIN)

    def members(self, gear: GearId) -> set[int]:
        """The processes in the group; a process of another pid namespace, 0, is not ours."""
        found = set()
        for door in self.doors(gear):
            with suppress(FileNotFoundError, OSError):
                found |= {int(pid) for pid in Path(door).read_text().split()}
        return {pid for pid in found if pid > 1}

    def memory(self, gear: GearId) -> int | None:
        """The bytes that the gear holds and that could not be given back at once."""
        folder = self.folder(gear, "memory")
        two = self.trees.version == 2
        with suppress(OSError):
            used = (folder / ("memory.current" if two else "memory.usage_in_bytes")).read_text()
            told = fields(folder / "memory.stat")
            spare = told.get("inactive_file" if two else "total_inactive_file", 0)
            return max(0, int(used) - spare)
        return None

    def killed(self, gear: GearId) -> int:
        """How many of the gear's processes were killed, ever, because it had no memory left."""
        with suppress(OSError):
            return fields(self.kills(gear)).get("oom_kill", 0)
        return 0

    def kills(self, gear: GearId) -> Path:
        """The file that counts these."""
        name = "memory.events" if self.trees.version == 2 else "memory.oom_control"
        return self.folder(gear, "memory") / name

    def strike(self) -> list[str]:
        """Take all groups away, whoever is in them; which they were."""
        gone = sorted(self.gears())
        for gear in gone:
            self.remove(gear)
        for folder in self.trees.folders(self.name):
            with suppress(FileNotFoundError):
                folder.rmdir()
        return [f"control group {self.name}/{gear}" for gear in gone]


def hand_down(folder: Path) -> None:
    """Let the groups in this one have our controllers (version 2)."""
    wanted = " ".join(f"+{one}" for one in CONTROLLERS)
    (folder / "cgroup.subtree_control").write_text(wanted)


def fields(path: Path) -> dict[str, int]:
    """A file of names and numbers."""
    pairs = (line.split() for line in path.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
