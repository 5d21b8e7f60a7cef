"""Processes that the bench starts: each with a log of its own, each ended by its pid."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRACE = 15.0  # seconds to end after SIGTERM
PAGE = os.sysconf("SC_PAGE_SIZE")


class Failed(Exception):
    """Something that was to be measured did not work; the message ends with its log."""


class Process:
    """A running program; `name` is for people."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # so that its children end with it
            )

    def check(self) -> None:
        """Failed if it has ended."""
        if self.popen.poll() is not None:
            raise Failed(f"{self.name} ended with {self.popen.returncode}:\n{tail(self.log)}")

    def rss(self) -> int:
        """Bytes of memory, its children's included."""
        return sum(resident(pid) for pid in (self.popen.pid, *children(self.popen.pid)))

    def kill(self) -> None:
        """SIGKILL, for it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> None:
        """SIGTERM, and after a while SIGKILL for what is left."""
        if self.popen.poll() is None:
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(GRACE)
        self.kill()


@contextmanager
def running(name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[Process]:
    """A process, for as long as one needs it."""
    process = Process(name, argv, env, log)
    try:
        yield process
    finally:
        process.stop()


def finish(name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> str:
    """Run to the end; what it printed."""
    with log.open("ab") as output:
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            check=False,
        )
    if done.returncode:
        raise Failed(f"{name} ended with {done.returncode}:\n{tail(log)}")
    return done.stdout


def until(
    condition: Callable[[], bool], process: Process | None, patience: float, step: float = 0.01
) -> None:
    """Wait until a condition holds; Failed if the process ends first or patience does."""
    deadline = time.monotonic() + patience
    while not condition():
        if process is not None:
            process.check()
        if time.monotonic() > deadline:
            log = f":\n{tail(process.log)}" if process is not None else ""
            raise Failed(f"nothing came about in {patience:g} seconds{log}")
        time.sleep(step)


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def resident(pid: int) -> int:
    """Bytes of memory of one process; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(one) for one in found]
