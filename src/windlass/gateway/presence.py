"""A router among those that live: it enters, beats, and says which version of the routes it serves.

A switch of traffic waits for every router that is entered. One that stands still is struck off and
not waited for, so it must not trust its table before it has entered again and read (`counted`).
"""

import asyncio
import contextlib
import time

import structlog

from windlass.engine.pulse import BEAT, STANDSTILL
from windlass.gateway.table import Table
from windlass.gateway.underway import Underway
from windlass.model.ids import RouterId, router_id
from windlass.model.routes import Routes
from windlass.store.routers import Standstill

log = structlog.get_logger()

TRUST = STANDSTILL - BEAT  # seconds after a beat in which nobody can have struck us off
ARRIVE = 10.0  # seconds that a request to an instance that is left may wait for its answer to begin


class Presence:
    """This router's entry; `keep` holds it for as long as the router runs."""

    def __init__(self, routes: Routes, table: Table) -> None:
        self._routes, self._table = routes, table
        self.underway = Underway(table.news)
        self._id: RouterId | None = None
        self._watch = Standstill()
        self._serves = 0
        self._confirmed = float("-inf")
        self._left: dict[str, float] = {}  # addresses with requests on their way, since when

    @property
    def counted(self) -> bool:
        """Whether switches surely wait for us: then nobody in our table was stopped."""
        return time.monotonic() - self._confirmed < TRUST

    async def keep(self) -> None:
        """Beat for ever, and at once when there is something new to say."""
        while True:
            try:
                await asyncio.wait_for(self._beat(), STANDSTILL)
            except Exception as error:
                # The table tells of a store that is away; here only what else there may be.
                log.debug("router.unheard", why=str(error) or type(error).__name__)
                await asyncio.sleep(BEAT)
            else:
                await self._news()

    async def leave(self) -> None:
        """No switch need wait for us: we have nothing in flight any more."""
        if self._id is None:
            return
        try:
            async with asyncio.timeout(STANDSTILL):
                await self._routes.strike(self._id)
        except Exception as error:  # then we are found standing still
            log.debug("router.unheard", why=str(error) or type(error).__name__)

    async def _beat(self) -> None:
        began = time.monotonic()  # whoever watches sees the beat later than this
        if self._id is None:
            await self._enter()
        if not self._table.current:
            return  # who cannot read must not be waited for; he is struck off soon
        assert self._id is not None
        before, self._serves = self._serves, self._reached()
        beats = await self._routes.beat(self._id, self._serves, quiet=self._serves == before)
        if self._id not in beats:
            log.warning("router.struck_off")
            self._id = None
            return await self._beat()
        self._confirmed = began
        for other in self._watch.dead({id: n for id, n in beats.items() if id != self._id}):
            await self._routes.strike(other)

    async def _enter(self) -> None:
        """Entered first, read then: what changes in between is waited for."""
        id = router_id()
        await self._routes.enter(id)
        self._id, self._serves, self._watch = id, 0, Standstill()
        await self._table.refresh()

    def _reached(self) -> int:
        """The version that we serve: nothing is on its way to where an older one led."""
        now = time.monotonic()
        outside = self.underway.outside(self._table.addresses)
        self._left = {one: self._left.get(one, now) for one in outside}
        waits = any(now - since < ARRIVE for since in self._left.values())
        return self._serves if waits else self._table.version

    async def _news(self) -> None:
        """Until there is something to say, or it is time for a beat."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT):
                await self._table.news.wait()
        self._table.news.clear()
