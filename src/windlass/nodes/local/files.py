"""Files that are there as a whole or not at all, locks, and waiting for threads."""

import asyncio
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 30.0  # seconds that a cancelled call waits for its thread


def write(path: Path, text: str, mode: int = 0o600, *, lasting: bool = True) -> None:
    """Replace a file by a new one; a crash leaves the old or the new.

    Two who write the same file hold a lock, so that one name will do for the new one. What is not
    `lasting` does not wait for the disk: a loss of power may leave anything.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(os.fsencode(text))
        file.flush()
        if lasting:
            os.fsync(file.fileno())
    fresh.replace(path)
    if lasting:
        sync(path.parent)


def sync(folder: Path) -> None:
    """Which files are in a folder is on the disk."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_json(path: Path, value: Any, *, lasting: bool = True) -> None:
    """Replace a file by a value as JSON."""
    write(path, json.dumps(value, sort_keys=True), lasting=lasting)


def read_json(path: Path) -> Any:
    """What a JSON file holds, or None where there is none."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None


def whole(folder: Path) -> list[str]:
    """The names in a folder, but of what is being made; none where there is no folder."""
    try:
        return [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []


def link(path: Path, target: Path | str) -> None:
    """Point a link elsewhere; a crash leaves the old or the new, without a wait for the disk."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among all processes of this machine; for short work."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def in_thread(
    pool: Executor, work: Callable[..., T], *args: Any, stop: Event | None = None
) -> T:
    """Do blocking work in a thread; a call that is cancelled waits until the thread is done.

    `stop` is set then, for work that looks at it.
    """
    future = asyncio.get_running_loop().run_in_executor(pool, work, *args)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if stop is not None:
            stop.set()
        await asyncio.wait([future], timeout=PATIENCE)
        raise
