"""A child of `up` does not outlive it, even if `up` is killed."""

import ctypes
import os
import signal
from collections.abc import Mapping

PR_SET_PDEATHSIG = 1
PARENT = "WINDLASS_PARENT"
SUPERVISED = "SUPERVISOR_ENABLED"  # supervisord's own mark on what it has started: the router


def child_environment() -> dict[str, str]:
    """The variable that makes a process that we start a child in this sense."""
    return {PARENT: str(os.getpid())}


def die_with_parent(environ: Mapping[str, str]) -> None:
    """Ask the kernel to kill us when the `up`, or the supervisord, that has started us is gone.

    The child asks, not a hook between fork and exec, which is unsafe beside threads. A parent that
    died before we asked is noticed by its number.
    """
    if PARENT not in environ and SUPERVISED not in environ:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if PARENT in environ and os.getppid() != int(environ[PARENT]):
        raise SystemExit(1)
