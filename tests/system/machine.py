"""The machine under a test: its ports, its processes, and waiting for what they do."""

import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

DEADLINE = 120.0  # seconds, for anything; a loaded machine is slow, but not that slow


def wait_until(
    happened: Callable[[], bool], story: Callable[[], str] = str, patience: float = DEADLINE
) -> None:
    """Look until it has happened; the deadline only keeps a failure from lasting forever."""
    end = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < end, f"it did not happen in {patience} s\n{story()}"
        time.sleep(0.1)


def free_ports(number: int) -> list[int]:
    """Ports that nobody has; below those that the kernel gives to outgoing connections."""
    found: list[int] = []
    while len(found) < number:
        port = random.randrange(20000, 32000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        found += [port] if port not in found else []
    return found


class Seen(NamedTuple):
    """A living process: who started it, and when, in ticks since the machine started."""

    parent: int
    begun: int


def processes() -> dict[int, Seen]:
    """All processes that are not dead already."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if stat[0] not in "ZX":
                found[int(folder.name)] = Seen(int(stat[1]), int(stat[19]))
    return found


def names(pid: int, text: str) -> bool:
    """Whether a process's command line or environment holds this text."""
    for part in ("cmdline", "environ"):
        try:
            if text.encode() in Path(f"/proc/{pid}/{part}").read_bytes():
                return True
        except OSError:
            continue
    return False


def kill(pid: int) -> None:
    """Kill a process that may be gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def remove(folder: Path) -> None:
    """Delete a folder, also where something is still being unmounted or written in it."""
    end = time.monotonic() + 20
    while folder.exists() and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            time.sleep(0.2)
