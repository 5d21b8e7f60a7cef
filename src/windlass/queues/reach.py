"""Whether a server can be reached: while it cannot, ask nothing of it and knock now and then."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from windlass.errors import Transient

FIRST, LONGEST = 0.1, 5.0  # seconds between knocks

T = TypeVar("T")

log = structlog.get_logger()


class Reach:
    """Lets calls through to a server; from the first of its `errors` until a knock, none."""

    def __init__(
        self,
        name: str,
        knock: Callable[[], Awaitable[object]],
        errors: tuple[type[Exception], ...],
    ) -> None:
        self.name, self.knock, self.errors = name, knock, errors
        self.why: str | None = None  # it is away
        self.closed = False
        self.mending: asyncio.Future[None] | None = None

    async def call(self, what: Callable[[], Awaitable[T]]) -> T:
        """What the server answers; Transient if it is away, and at once if that is known."""
        if self.why is not None:
            raise Transient(self.why)
        try:
            return await what()
        except self.errors as error:
            self.why = self.said(error)
            self.lost()
            raise Transient(self.why) from error

    def said(self, error: Exception) -> str:
        """An error in a line."""
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        return f"{self.name} is away: {reason}"

    def lost(self) -> None:
        """Knock from now on, unless that is done already."""
        if self.closed or (self.mending is not None and not self.mending.done()):
            return
        log.warning("queue.lost", server=self.name, why=self.why)
        self.mending = asyncio.ensure_future(self.mend())

    async def mend(self) -> None:
        """Knock until somebody answers; the jitter is for all the others who do the same."""
        pause = FIRST
        while self.why is not None:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST)
            try:
                await self.knock()
                self.why = None
            except self.errors as error:
                self.why = self.said(error)
        log.info("queue.back", server=self.name)

    async def close(self) -> None:
        """Knock no more."""
        self.closed = True
        if self.mending is not None:
            self.mending.cancel()
            await asyncio.gather(self.mending, return_exceptions=True)
