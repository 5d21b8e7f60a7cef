"""Ringing between processes on PostgreSQL: one LISTEN, and a NOTIFY that is coalesced.

A NOTIFY in every commit would make commits wait for each other; so it is sent after them, on a
connection of its own, and however much was written meanwhile it is sent once. Only after a while
in which nobody said anything does the statement that accepts a job say so itself: it is heard
sooner.
It says whether jobs may have become ready: workers need not look at anything else.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

import asyncpg

CHANNEL = "windlass"
READY = "ready"  # the payload that workers heed
SPACING = 0.01  # seconds between two that workers heed
HUSH = 0.02  # seconds in which nobody spoke to workers, before one speaks in a commit
CALM = 0.05  # seconds between two that only watchers heed
PAUSE = 0.01  # seconds before one that only watchers heed: what else follows a write goes first
FIRST, LONGEST = 0.1, 5.0  # seconds between tries to connect again


class Notifier:
    """Tells other processes that something was written, and hears it from them."""

    def __init__(self, url: str, heard: Callable[[bool], None]) -> None:
        self.url, self.heard = url, heard
        self.wanted = asyncio.Event()
        self.ready = asyncio.Event()
        self.connected = False
        self.spoke = self.hailed = 0.0  # last, to anybody and to workers; monotonic
        self.task: asyncio.Future[None] | None = None
        self.soon: asyncio.TimerHandle | None = None  # until watchers are told

    def start(self) -> None:
        """Listen from now on."""
        if self.task is None or self.task.done():
            self.task = asyncio.ensure_future(self.run())

    def ring(self, ready: bool) -> None:
        """Something was written here; whether jobs became ready by it."""
        self.start()
        if ready:
            self.ready.set()
            self.wanted.set()
        elif self.soon is None:
            self.soon = asyncio.get_running_loop().call_later(PAUSE, self.wanted.set)

    def speaks(self) -> bool:
        """Whether who makes a job ready now says so himself: nobody has, anywhere, for a while."""
        self.start()  # or we would not hear who has
        now = time.monotonic()
        calm = now - self.hailed > HUSH
        if calm:
            self.spoke = self.hailed = now
        return calm

    async def run(self) -> None:
        """Connected for as long as it lasts, and then again."""
        pause = FIRST
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self.talk()
                pause = FIRST
            self.connected = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def talk(self) -> None:
        """Listen, and notify when that is wanted."""
        unhurried = {"synchronous_commit": "off"}  # a bell is heard or lost, never kept
        connection = await asyncpg.connect(self.url, timeout=10, server_settings=unhurried)
        try:
            await connection.add_listener(CHANNEL, lambda *said: self.hear(said[-1] == READY))
            self.connected = True
            self.heard(True)  # what was said before we listened
            while True:
                await within(LONGEST, self.wanted)
                if self.wanted.is_set():
                    await self.breathe()
                    await connection.execute(f"NOTIFY {CHANNEL}, '{self.word()}'", timeout=10)
                elif connection.is_closed():
                    return
        finally:
            connection.terminate()

    def hear(self, ready: bool) -> None:
        """Somebody spoke, here or elsewhere."""
        if ready:
            self.hailed = time.monotonic()
        self.heard(ready)

    async def breathe(self) -> None:
        """Until it is time to speak again."""
        await within(max(0.0, self.spoke + CALM - time.monotonic()), self.ready)
        if self.ready.is_set():
            await asyncio.sleep(max(0.0, self.hailed + SPACING - time.monotonic()))

    def word(self) -> str:
        """What there is to say; it is said."""
        self.spoke = time.monotonic()
        self.wanted.clear()
        if self.soon is not None:
            self.soon.cancel()
            self.soon = None
        if not self.ready.is_set():
            return ""
        self.hailed = self.spoke
        self.ready.clear()
        return READY

    async def close(self) -> None:
        """Listen no more."""
        if self.soon is not None:
            self.soon.cancel()
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


async def within(seconds: float, event: asyncio.Event) -> None:
    """Until this has happened, or so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
