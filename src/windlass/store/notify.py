"""Ringing between processes on PostgreSQL: one LISTEN, and a NOTIFY that is coalesced.

A NOTIFY in every commit would make commits wait for each other; so it is sent after them, on a
connection of its own, and however much was written meanwhile it is sent once.
"""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg

CHANNEL = "windlass"
FIRST, LONGEST = 0.1, 5.0  # seconds between tries to connect again


class Notifier:
    """Tells other processes that something was written, and hears it from them."""

    def __init__(self, url: str, heard: Callable[[], None]) -> None:
        self.url, self.heard = url, heard
        self.wanted = asyncio.Event()
        self.connected = False
        self.task: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Listen from now on."""
        if self.task is None or self.task.done():
            self.task = asyncio.ensure_future(self.run())

    def ring(self) -> None:
        """Something was written here."""
        self.start()
        self.wanted.set()

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
        connection = await asyncpg.connect(self.url, timeout=10)
        try:
            await connection.add_listener(CHANNEL, lambda *_: self.heard())
            self.connected = True
            self.heard()  # what was said before we listened
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST):
                        await self.wanted.wait()
                if self.wanted.is_set():
                    self.wanted.clear()
                    await connection.execute(f"NOTIFY {CHANNEL}", timeout=10)
                elif connection.is_closed():
                    return
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Listen no more."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
