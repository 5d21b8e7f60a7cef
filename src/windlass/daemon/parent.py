"""A child of `up` does not outlive it, even if `up` is killed."""

import os
import signal
from collections.abc import Mapping

from windlass.nodes.local.launch import PR_SET_PDEATHSIG, libc

PARENT = "WINDLASS_PARENT"


def child_environment() -> dict[str, str]:
    """The variable that makes a process that we start a child in this sense."""
    return {PARENT: str(os.getpid())}


def die_with_parent(environ: Mapping[str, str]) -> None:
    """Ask the kernel to kill us when the `up` that has started us is gone.

    The child asks, not a hook between fork and exec, which is unsafe beside threads. A parent that
    died before we asked is noticed by its number.
    """
    if PARENT not in environ:
        return
    libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(environ[PARENT]):
        raise SystemExit(1)
