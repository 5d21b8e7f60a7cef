"""Worker processes on a yard: a folder whose files tell what was done, and by whom."""

import asyncio
import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import asyncpg

from windlass.engine.lease import JobId, Lease
from windlass.engine.operation import Operation, Plan, Step
from windlass.engine.scope import Scope
from windlass.errors import LeaseLost

PATIENCE = 120.0  # seconds, for anything


class Deed(NamedTuple):
    """A thing done: of which job, what, under which lease, by whom."""

    job: int
    item: str
    lease: int
    worker: str


@dataclass(frozen=True)
class Yard:
    """What steps act on."""

    folder: Path
    lease: Lease | None = None

    def within(self, transaction: Any, job: JobId) -> "Yard":
        return self

    def under(self, lease: Lease) -> "Yard":
        return Yard(self.folder, lease)

    async def haul(self, item: str) -> None:
        """Leave a line when it begins, and one when it is done."""
        assert self.lease is not None
        self.write("begun", item)
        await gate(self.folder, item)
        with self.alone():
            self.check()
            self.write("done", item)

    @contextmanager
    def alone(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def check(self) -> None:
        """As a node does: who has been followed by another acts no more."""
        assert self.lease is not None
        fence = self.folder / f"fence-{self.lease.job}"
        if fence.exists() and int(fence.read_text()) > self.lease.number:
            raise LeaseLost("somebody came after us")
        fence.write_text(str(self.lease.number))

    def write(self, name: str, item: str) -> None:
        assert self.lease is not None
        with (self.folder / name).open("a") as file:
            file.write(f"{self.lease.job} {item} {self.lease.number} {self.lease.worker}\n")

    def read(self, job: int | None = None, name: str = "done") -> list[Deed]:
        """What was done, in order."""
        path = self.folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        deeds = [
            Deed(int(of), item, int(lease), by) for of, item, lease, by in map(str.split, lines)
        ]
        return [deed for deed in deeds if job in (None, deed.job)]


async def gate(folder: Path, item: str) -> None:
    """Whoever comes first to a closed gate waits until it is opened; later ones pass."""
    held = folder / f"held-{item}"
    try:
        (folder / f"closed-{item}").rename(held)
    except FileNotFoundError:
        return
    while held.exists():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def close_gate(folder: Path, item: str) -> Path:
    """Close it; returns the file that is there while somebody waits, to be deleted."""
    (folder / f"closed-{item}").touch()
    return folder / f"held-{item}"


@dataclass(frozen=True)
class Haul(Step[Yard]):
    """Haul something."""

    item: str

    async def do(self, world: Yard) -> None:
        await world.haul(self.item)


@dataclass(frozen=True)
class Sleep(Step[Yard]):
    """The first who does this blocks his thread."""

    async def do(self, world: Yard) -> None:
        try:
            (world.folder / "bed").rename(world.folder / "slept")
        except FileNotFoundError:
            return
        time.sleep(600)  # noqa: ASYNC251


@dataclass(frozen=True)
class Errand(Operation[Yard]):
    """One thing after the other, at a place of its own; perhaps thought over at a gate."""

    place: str
    items: str
    sleep: bool = False
    thought: str = ""

    @property
    def scope(self) -> Scope:
        return Scope(exclusive=frozenset({self.place}))

    async def elaborate(self, world: Yard) -> Plan[Yard]:
        if self.thought:
            await gate(world.folder, self.thought)
        if self.sleep:
            yield Sleep()
        for item in self.items.split():
            yield Haul(item)


# -- the processes -------------------------------------------------------------------------


class Hand:
    """A worker process."""

    def __init__(self, argv: list[str], log: Path) -> None:
        self.log = log
        tests = Path(__file__).parents[1]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("hireling.py")), *argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONPATH": str(tests), "PYTHONUNBUFFERED": "1"},
            )

    def told(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    async def freeze(self, url: str) -> None:
        """Stop it, but not in a transaction: whoever is frozen there keeps what he has locked."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.signal(signal.SIGSTOP)
                if not await busy(url):
                    return
                self.signal(signal.SIGCONT)
                await asyncio.sleep(0.05)

    def end(self) -> None:
        """Whatever it was at."""
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


async def busy(url: str) -> bool:
    """Whether somebody is in the middle of a transaction."""
    if url.startswith("sqlite"):
        await asyncio.sleep(0.05)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0.2)) as one:
            try:
                one.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            one.rollback()
            return False
    await asyncio.sleep(0.2)  # what the server was at is over
    one = await asyncpg.connect(url, timeout=PATIENCE)
    try:
        return bool(await one.fetchval(OPEN))
    finally:
        await one.close()


OPEN = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""


class Crew:
    """The worker processes of a test; none of them outlives it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.hands: list[Hand] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self.hands:
            hand.end()

    def hire(self, *more: str, world: str = "yard") -> Hand:
        """One more; `more` are constants of the engine, as in `STUCK=4`."""
        log = self.folder / f"worker{len(self.hands)}.log"
        self.hands.append(Hand([world, self.url, str(self.folder), *more], log))
        return self.hands[-1]
