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


def kill_group(pid: int, since: int | None) -> None:
    """Kill the process group that this very process leads."""
    if pid > 1 and since is not None and started(pid) == since:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
