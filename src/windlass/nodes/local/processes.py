"""Processes told apart by pid and start time together: a pid alone comes back."""

import contextlib
import os
import signal
from pathlib import Path


def started(pid: int) -> int | None:
    """When the process began, in ticks since the machine did; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def memory(pids: set[int]) -> int:
    """The bytes that these processes and all that they have started hold in memory."""
    pages: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            stat = path.read_text()
            fields = stat[stat.rindex(")") + 2 :].split()
            pid = int(path.parent.name)
            pages[pid] = int(fields[21])
            children.setdefault(int(fields[1]), []).append(pid)
    line = [pid for pid in pids if pid in pages]
    for pid in line:
        line += children.get(pid, [])
    return sum(pages[pid] for pid in line) * os.sysconf("SC_PAGE_SIZE")


def kill_group(pid: int, since: int | None, how: int = signal.SIGKILL) -> None:
    """Send a signal to the process group that this very process leads."""
    if pid > 1 and since is not None and started(pid) == since:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, how)
