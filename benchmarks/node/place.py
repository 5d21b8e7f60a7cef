"""Where the node is measured: a folder, and the processes that the suite starts."""

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.processes import Process, finish, running, until

PATIENCE = 30.0  # seconds for a server to listen


@dataclass
class Place:
    """Everything of a run; `quick` means small numbers."""

    folder: Path
    quick: bool
    profile: Path | None = None  # our own processes run under cProfile, into here
    numbers: Iterator[int] = field(default_factory=count)

    def new(self) -> Path:
        """A folder of its own for one reading."""
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        return folder

    @contextmanager
    def server(self, part: str, port: int, *words: str) -> Iterator[Process]:
        """One of `parts`, when it listens."""
        argv = [sys.executable, "-m", f"benchmarks.node.parts.{part}", str(port), *words]
        with running(part, argv, {}, self.folder / f"{part}.log") as process:
            until(lambda: listens(port), process, PATIENCE)
            yield process

    def part(self, part: str, *words: str) -> str:
        """Run one of `parts` to its end; what it printed."""
        argv = [sys.executable, "-m", f"benchmarks.node.parts.{part}", *words]
        return finish(part, argv, {}, self.folder / f"{part}.log")

    @contextmanager
    def router(self, data: Path, port: int) -> Iterator[Process]:
        """`windlassd route` on a data folder's datastore, when it listens."""
        words = ["-m", "windlass.daemon.main", "route"]
        if self.profile is not None:
            words = ["-m", "cProfile", "-o", str(self.profile / "router.prof"), *words]
        words += ["--data", str(data), "--apps", f"127.0.0.1:{port}"]
        with running("router", [sys.executable, *words], {}, data / "router.log") as process:
            until(lambda: listens(port), process, PATIENCE)
            yield process


@contextmanager
def place(quick: bool, profile: Path | None = None) -> Iterator[Place]:
    """A place, for as long as one measures."""
    folder = Path(tempfile.mkdtemp(prefix="bench"))
    try:
        yield Place(folder, quick, profile)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port of loopback at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts there."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
