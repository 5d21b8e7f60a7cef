"""Ringing between processes on PostgreSQL: one LISTEN, and a NOTIFY that is coalesced.

A NOTIFY in every commit would make commits wait for each other; so it is sent after them, on a
connection of its own, and however much was written meanwhile it is sent once. It says whether jobs
may have become ready: workers need not look at anything else.
"""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

CHANNEL = "windlass"
READY = "ready"  # the payload that workers heed
SPACING = 0.005  # seconds between two; the first is sent at once
CALM = 0.05  # seconds between two that only watchers heed
FIRST, LONGEST = 0.1, 5.0  # seconds between tries to connect again


class Notifier:
    """Tells other processes that something was written, and hears it from them."""

    def __init__(self, url: str, heard: Callable[[bool], None]) -> None:
        self.url, self.heard = url, heard
        self.wanted = asyncio.Event()
        self.ready = asyncio.Event()
        self.connected = False
        self.task: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Listen from now on."""
        if self.task is None or self.task.done():
            self.task = asyncio.ensure_future(self.run())

    def ring(self, ready: bool) -> None:
        """Something was written here; whether jobs became ready by it."""
        self.start()
        self.wanted.set()
        if ready:
            self.ready.set()

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
            await connection.add_listener(CHANNEL, lambda *said: self.heard(said[-1] == READY))
            self.connected = True
            self.heard(True)  # what was said before we listened
            while True:
                await within(LONGEST, self.wanted)
                if self.wanted.is_set():
                    said = READY if self.ready.is_set() else ""
                    self.wanted.clear()
                    self.ready.clear()
                    await connection.execute(f"NOTIFY {CHANNEL}, '{said}'", timeout=10)
                    await asyncio.sleep(SPACING)
                    await within(CALM - SPACING, self.ready)
                elif connection.is_closed():
                    return
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Listen no more."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


async def within(seconds: float, event: asyncio.Event) -> None:
    """Until this has happened, or so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
