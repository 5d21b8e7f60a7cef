"""Where the node is measured: a folder, and the processes that the suite starts."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path

from benchmarks.node.installation import Installation, installation
from benchmarks.node.ports import listens
from benchmarks.processes import Process, finish, running, until

PATIENCE = 30.0  # seconds for a server to listen


@dataclass
class Place:
    """Everything of a run; `quick` means small numbers."""

    folder: Path
    quick: bool
    profile: Path | None = None  # our own processes run under cProfile, into here
    numbers: Iterator[int] = field(default_factory=count)
    until: ExitStack = field(default_factory=ExitStack)  # the end

    @cached_property
    def installation(self) -> Installation:
        """A whole windlass, which starts when it is first wanted and runs until the end."""
        return self.until.enter_context(installation())

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
    made = Place(folder, quick, profile)
    try:
        with made.until:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
