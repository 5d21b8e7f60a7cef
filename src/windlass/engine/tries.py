"""Tries of steps: heard, in time, and over before anything follows them."""

import asyncio
import math
import os
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import structlog

from windlass.engine.steplog import VOICE, Voice
from windlass.errors import Transient

NEVER = math.inf
GRACE = 20.0  # seconds for what is cancelled to end
EX_SOFTWARE = 70  # the exit code of a process that ended itself (sysexits.h)

log = structlog.get_logger()


def take_out() -> None:
    """End the process: a second try beside one that does not end would be worse."""
    log.critical("worker.stuck", why=f"what was cancelled did not end in {GRACE:g} seconds")
    os._exit(EX_SOFTWARE)


class Tries:
    """The tries that a task makes, one after the other: each heard, and over in time.

    To set a timer costs more than most tries. So there is one for all of them: it stays when a try
    ends in time, and when it rings it is set again for the one that is under way by then.
    """

    __slots__ = (
        "before",
        "due",
        "late",
        "loop",
        "result",
        "rings",
        "task",
        "timer",
        "token",
        "voice",
        "write",
    )

    def __init__(self, write: Callable[[int, str], None]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task, self.loop = task, task.get_loop()
        self.write = write
        self.timer: asyncio.TimerHandle | None = None
        self.rings = NEVER  # the timer, by the loop's clock
        self.due = NEVER  # the try that is under way
        self.late = False  # and it was cancelled for it
        self.result: str | None = None  # of the last try that ended
        self.before = 0  # how often the task was being cancelled when the try began

    def __enter__(self) -> "Tries":
        self.token = VOICE.set(None)
        return self

    def __exit__(self, *_: object) -> None:
        if self.timer is not None:
            self.timer.cancel()
        VOICE.reset(self.token)

    async def once(
        self, step: int, act: Coroutine[Any, Any, None], timeout: float
    ) -> Exception | None:
        """Try a step: returns how that failed, or None. It has ended when this returns or raises.

        A try that takes more than `timeout` seconds is cancelled and counts as failed. It runs in
        the task itself: one of its own would cost more than most tries.
        """
        self.begin(step, timeout)
        error: Exception | None = None
        try:
            await act
        except asyncio.CancelledError:
            if self.others:
                raise
            error = Transient("it was cancelled from within")
        except Exception as caught:
            error = caught
        finally:
            late = self.end()
        if error is not None and late:
            return Transient(f"it took longer than {timeout:g} seconds")
        return error

    def begin(self, step: int, timeout: float) -> None:
        """A try begins."""
        self.voice = Voice(self.write, step)
        VOICE.set(self.voice)
        self.before = self.task.cancelling()
        self.due = self.loop.time() + timeout
        if self.due < self.rings:
            self.ring_at(self.due)

    def end(self) -> bool:
        """The try has ended, and the task may go on; whether it was cancelled for being late."""
        self.voice.hush()
        self.result = self.voice.result
        late, self.late, self.due = self.late, False, NEVER
        if late:
            self.drop_timer()
            self.task.uncancel()
        return late

    @property
    def others(self) -> bool:
        """Whether somebody else has cancelled the task."""
        return self.task.cancelling() > self.before + self.late

    def ring_at(self, when: float) -> None:
        """Set the timer."""
        self.drop_timer()
        self.rings, self.timer = when, self.loop.call_at(when, self.ring)

    def drop_timer(self) -> None:
        """No timer is set."""
        if self.timer is not None:
            self.timer.cancel()
        self.rings, self.timer = NEVER, None

    def ring(self) -> None:
        """Is time up? A task that is being cancelled is left to clean up first."""
        self.drop_timer()
        if self.due == NEVER:
            return
        now = self.loop.time()
        if now < self.due:
            self.ring_at(self.due)
        elif self.others:
            self.ring_at(now + 1.0)
        else:
            self.late = True
            self.task.cancel()
            self.timer = self.loop.call_later(GRACE, take_out)


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
