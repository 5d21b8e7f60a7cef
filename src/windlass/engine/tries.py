"""One try of a step: in time, and over before anything follows it."""

import asyncio
import os
from collections.abc import Collection, Coroutine
from typing import Any

import structlog

from windlass.errors import Transient

GRACE = 20.0  # seconds for what is cancelled to end
EX_SOFTWARE = 70  # the exit code of a process that ended itself (sysexits.h)

log = structlog.get_logger()


def take_out() -> None:
    """End the process: a second try beside one that does not end would be worse."""
    log.critical("worker.stuck", why=f"what was cancelled did not end in {GRACE:g} seconds")
    os._exit(EX_SOFTWARE)


async def try_once(act: Coroutine[Any, Any, None], timeout: float) -> Exception | None:
    """Run one try; returns how it failed, or None. It has ended when this returns or raises.

    A try that takes more than `timeout` seconds is cancelled and counts as failed. It runs in the
    caller's task: one of its own would cost more than most tries.
    """
    limit = Limit(timeout)
    error: Exception | None = None
    try:
        await act
    except asyncio.CancelledError:
        if limit.others:
            raise
        error = Transient("it was cancelled from within")
    except Exception as caught:
        error = caught
    finally:
        limit.lift()
    if error is not None and limit.reached:
        return Transient(f"it took longer than {timeout:g} seconds")
    return error


class Limit:
    """Cancels the task it was made in when its time is up; `reached` once it has."""

    __slots__ = ("before", "loop", "reached", "task", "timer")

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.before = task.cancelling()
        self.reached = False
        self.loop = task.get_loop()
        self.timer = self.loop.call_later(seconds, self.reach)

    @property
    def others(self) -> bool:
        """Whether somebody else has cancelled the task."""
        return self.task.cancelling() > self.before + self.reached

    def reach(self) -> None:
        """Time is up; a task that is being cancelled is left to clean up first."""
        if self.others:
            self.timer = self.loop.call_later(1.0, self.reach)
            return
        self.reached = True
        self.task.cancel()
        self.timer = self.loop.call_later(GRACE, take_out)

    def lift(self) -> None:
        """The task may go on."""
        self.timer.cancel()
        if self.reached:
            self.task.uncancel()


async def see_through(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait until they have ended; that they do not is the process's end."""
    for task in tasks:
        task.cancel()
    cut: asyncio.CancelledError | None = None
    timer = asyncio.get_running_loop().call_later(GRACE, take_out)
    try:
        while pending := [task for task in tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                cut = error  # whoever cancels us meanwhile must wait as well
    finally:
        timer.cancel()
    if cut is not None:
        raise cut
