"""Processes told apart by pid and start time together: a pid alone comes back."""

import contextlib
import os
import signal
from collections.abc import Collection
from pathlib import Path


def started(pid: int) -> int | None:
    """When the process began, in ticks since the machine did; None if there is none."""
    fields = stat(pid)
    return None if fields[0] in "ZX" else int(fields[19])


def stat(pid: int) -> list[str]:
    """What the system tells of a process, from its state on; X if there is none."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ["X"]
    return told[told.rindex(")") + 2 :].split()


def kill_if_frozen(pid: int, since: int | None) -> None:
    """End this very process if it is stopped."""
    if pid > 1 and since is not None and started(pid) == since and stat(pid)[0] in "Tt":
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def memory(pids: set[int]) -> int:
    """The bytes that these processes and all that they have started hold in memory."""
    pages = {pid: int(fields[21]) for pid, fields in everybody().items()}
    return sum(pages.get(pid, 0) for pid in family(pids)) * os.sysconf("SC_PAGE_SIZE")


def family(pids: Collection[int]) -> list[int]:
    """These processes and all that they have started, as far as they are there."""
    if not pids:
        return []
    children: dict[int, list[int]] = {}
    there = everybody()
    for pid, fields in there.items():
        children.setdefault(int(fields[1]), []).append(pid)
    line = [pid for pid in pids if pid in there]
    for pid in line:
        line += children.get(pid, [])
    return line


def everybody() -> dict[int, list[str]]:
    """What the system tells of each process."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return {pid: fields for pid in pids if len(fields := stat(pid)) > 1}


def kill_group(pid: int, since: int | None, how: int = signal.SIGKILL) -> None:
    """Send a signal to the process group that this very process leads."""
    if pid > 1 and since is not None and started(pid) == since:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, how)
