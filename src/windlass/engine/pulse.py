"""A worker's pulse: beats from a thread of its own, and an eye on the others' beats."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

import structlog

from windlass.engine.lease import WorkerId
from windlass.engine.queue import Nudge
from windlass.engine.tries import EX_SOFTWARE
from windlass.errors import LeaseLost, Transient

BEAT = 0.5  # seconds between beats
STANDSTILL = 3.0  # seconds of another worker's beat, on our own monotonic clock: it is dead
RETIRING = 4  # at a time; each may wait for what its dead worker has locked
STUCK = 30.0  # seconds that the worker's loop may not answer: the process ends

log = structlog.get_logger()


class Beats(Protocol):
    """The part of a journal that a pulse needs, on a connection of its own."""

    async def beat(self, worker: WorkerId) -> dict[WorkerId, int]:
        """One more beat of this worker; the counters of all."""

    async def retire(self, worker: WorkerId) -> list[Nudge]:
        """Declare a worker dead."""

    async def close(self) -> None:
        """Let go of the connection."""


class Watch:
    """Who stands still; a gap in our own beats starts every watch anew (pure)."""

    def __init__(self, me: WorkerId) -> None:
        self.me = me
        self.seen: dict[WorkerId, tuple[int, float]] = {}
        self.looked = float("-inf")

    def dead(self, beats: Mapping[WorkerId, int], now: float) -> list[WorkerId]:
        """Those whose counter has stood still while our own beats succeeded all the time."""
        gap = now - self.looked > 3 * BEAT
        before = {} if gap else self.seen
        self.looked = now
        self.seen = {
            worker: (beat, before[worker][1])
            if worker in before and before[worker][0] == beat
            else (beat, now)
            for worker, beat in beats.items()
            if worker != self.me
        }
        return [worker for worker, (_, since) in self.seen.items() if now - since >= STANDSTILL]


class Pulse(threading.Thread):
    """Beats for a worker; tells its loop when it was declared dead or is out of touch."""

    def __init__(
        self,
        me: WorkerId,
        connect: Callable[[], Awaitable[Beats]],
        *,
        lost: Callable[[], None],
        freed: Callable[[Collection[Nudge]], None],
    ) -> None:
        super().__init__(name="pulse", daemon=True)
        self.me, self.connect = me, connect
        self.lost, self.freed = lost, freed
        self.loop = asyncio.get_running_loop()
        self.confirmed = self.answered = time.monotonic()
        self.over = threading.Event()
        self.retiring: dict[WorkerId, asyncio.Future[None]] = {}

    @property
    def faint(self) -> bool:
        """Whether no beat has been confirmed for so long that others may think us dead."""
        return time.monotonic() - self.confirmed > STANDSTILL

    def stop(self) -> None:
        """Beat no more."""
        self.over.set()

    def run(self) -> None:
        """The thread."""
        asyncio.run(self.beat_on())

    async def beat_on(self) -> None:
        """Beat after beat, until stopped."""
        beats: Beats | None = None
        watch = Watch(self.me)
        while not self.over.is_set():
            self.check_loop()
            try:
                beats = beats or await self.connect()
                await asyncio.wait_for(self.beat_once(beats, watch), STANDSTILL)
            except LeaseLost:
                self.tell(self.lost)
                break
            except (Transient, TimeoutError):
                pass  # the next beat may get through; `faint` tells how long none has
            except Exception:
                log.exception("pulse.stumbled")
            await asyncio.to_thread(self.over.wait, BEAT)
        await self.let_go(beats)

    async def beat_once(self, beats: Beats, watch: Watch) -> None:
        """One beat, and a look at the others'."""
        counters = await beats.beat(self.me)
        self.confirmed = time.monotonic()
        for worker in watch.dead(counters, self.confirmed):
            if worker not in self.retiring and len(self.retiring) < RETIRING:
                self.retiring[worker] = asyncio.ensure_future(self.retire(beats, worker))

    async def retire(self, beats: Beats, worker: WorkerId) -> None:
        """Declare a worker dead, beside the beats: frozen in a transaction it makes us wait."""
        try:
            self.tell(self.freed, await beats.retire(worker))
        except Transient:
            pass  # the next beat finds it dead again
        except Exception:
            log.exception("pulse.stumbled", dead=worker)
        finally:
            del self.retiring[worker]

    async def let_go(self, beats: Beats | None) -> None:
        """Leave the dead to the others, and the connection."""
        for task in (left := list(self.retiring.values())):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if beats is not None:
            with contextlib.suppress(Transient, TimeoutError):
                await asyncio.wait_for(beats.close(), STANDSTILL)

    def check_loop(self) -> None:
        """End the process if the worker's loop has not answered for too long."""
        if time.monotonic() - self.answered > STUCK:
            os._exit(EX_SOFTWARE)
        self.tell(self.answer)

    def answer(self) -> None:
        """The loop is alive."""
        self.answered = time.monotonic()

    def tell(self, what: Callable[..., None], *about: object) -> None:
        """Call back in the worker's loop."""
        try:
            self.loop.call_soon_threadsafe(what, *about)
        except RuntimeError:
            self.over.set()  # the loop is closed: the worker has gone
