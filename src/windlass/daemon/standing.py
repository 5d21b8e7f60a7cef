"""What stands: a small record in the data folder of what `up` was given and has started.

`status`, `down` and `doctor` read it, so that they need no flags but --data; whoever opens the
datastore does, where none is named.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from windlass.daemon.options import environment_of, settings_of
from windlass.errors import Refused
from windlass.settings import Settings


@dataclass(frozen=True)
class Process:
    """A process, and not another one that got its number later."""

    pid: int
    begun: int  # in ticks since the machine started, as /proc has it

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process with this number, if it lives."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The name in brackets may hold anything, so count from the last bracket.
        state, *rest = stat.rpartition(")")[2].split()
        return None if state in "ZX" else cls(pid, int(rest[18]))

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return Process.of(self.pid) == self

    def signal(self, number: int) -> None:
        """Send a signal; nothing if it is gone."""
        if self.pid > 1 and self.alive:
            os.kill(self.pid, number)


@dataclass(frozen=True)
class Standing:
    """What the last `up` was given, and the processes that it has started."""

    settings: Settings
    up: Process | None = None
    children: Mapping[str, Process] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether that `up` is still there."""
        return self.up is not None and self.up.alive

    @classmethod
    def read(cls, data: Path) -> Self | None:
        """The record in this data folder, if `up` ever ran there."""
        try:
            record = json.loads(record_of(data).read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise Refused(f"{data} belongs to another user; ask as that one") from None
        children = {name: Process(*pair) for name, pair in record["children"].items()}
        up = Process(*record["up"]) if record["up"] else None
        return cls(settings_of({**record["settings"], "WINDLASS_DATA": str(data)}), up, children)

    def write(self) -> None:
        """Replace the record, whole or not at all; it may hold a database's password."""
        record: dict[str, Any] = {
            "up": self.up and [self.up.pid, self.up.begun],
            "children": {name: [one.pid, one.begun] for name, one in self.children.items()},
            "settings": environment_of(self.settings),
        }
        write_private(record_of(self.settings.data), json.dumps(record, indent=1) + "\n")


def as_it_stands(settings: Settings) -> Settings:
    """These settings; where they name no datastore, with the one that `up` was given."""
    standing = None if settings.database else Standing.read(settings.data)
    return replace(settings, database=standing.settings.database) if standing else settings


def record_of(data: Path) -> Path:
    """The file of the record."""
    return data / "standing.json"


def write_private(path: Path, text: str) -> None:
    """Replace a file that its owner alone may read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold the data folder's lock; Refused if another `up` or `down` has it.

    The kernel lets go of it with our last breath, whatever kills us.
    """
    flags = os.O_RDWR | os.O_CREAT
    with os.fdopen(os.open(data / "up.lock", flags, 0o600), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(running(data)) from None
        yield


def running(data: Path) -> str:
    """The sentence that says who has the lock."""
    standing = Standing.read(data)
    who = f" (process {standing.up.pid})" if standing and standing.up else ""
    return f"windlassd runs already on {data}{who}; `windlassd down` stops it"
