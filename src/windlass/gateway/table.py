"""The table of routes: kept in memory, so that applications answer while the store is away."""

import asyncio
from collections.abc import Callable

import structlog

from windlass.model.routes import Route, Routes, Snapshot

log = structlog.get_logger()

PATIENCE = 5.0  # seconds without a word of change after which the routes are read all the same
AWAY = 0.5  # seconds until a store that is away is asked again
AT_ONCE = 2.0  # seconds that a request waits for routes to be read again


def plain_name(host: str) -> str:
    """The name in a Host header, without case, port and final dot."""
    host = host.strip().lower()
    if host.startswith("["):  # an IPv6 address: its colons do not begin a port
        return host[: host.find("]") + 1]
    return host.partition(":")[0].rstrip(".")


class Table:
    """Which host name belongs to which application, as far as is known."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._by_name: dict[str, Route] | None = None
        self._version: int | None = None
        self.addresses: frozenset[str] = frozenset()  # all that any route leads to
        self.news = asyncio.Event()  # set when the routes are others than before
        self.told: list[Callable[[frozenset[str]], None]] = []  # called with the addresses then
        self._reading = asyncio.Lock()
        self._reads_begun = 0
        self._away = False

    @property
    def known(self) -> bool:
        """Whether the routes were ever read."""
        return self._by_name is not None

    @property
    def current(self) -> bool:
        """Whether the last try to read the routes went well."""
        return self.known and not self._away

    @property
    def version(self) -> int:
        """Which version of the routes this is."""
        return self._version or 0

    def find(self, host: str) -> Route | None:
        """The route of a Host header, if there is one."""
        return self._by_name.get(plain_name(host)) if self._by_name else None

    async def keep(self) -> None:
        """Read the routes now and whenever they may have changed, for ever."""
        while True:
            try:
                await self._read()
                await self._routes.changed(PATIENCE)
            except Exception as error:
                # Not only Transient: whatever befalls the store, applications go on answering.
                self._note_away(error)
                await asyncio.sleep(AWAY)

    async def refresh(self) -> None:
        """Read the routes at once, or leave them as they are if that is not possible now."""
        try:
            async with asyncio.timeout(AT_ONCE):
                await self._read()
        except Exception as error:  # as in keep()
            self._note_away(error)

    async def catch_up(self) -> None:
        """Read the routes at once, unless the store is known to be away: `keep` asks it then."""
        if not self._away:
            await self.refresh()

    async def _read(self) -> None:
        # Of all that ask while a read is going on, one reads again and the others take its answer.
        wanted = self._reads_begun + 1
        async with self._reading:
            if self._reads_begun >= wanted:
                return
            self._reads_begun += 1
            try:
                there = await self._routes.all(self._version)
            except asyncio.CancelledError:
                self._reads_begun -= 1  # the one who read has gone: the next in line reads
                raise
            if there is not None:
                self._take(there)
            self._note_back()

    def _take(self, there: Snapshot) -> None:
        self._version = there.version
        self._by_name = {plain_name(route.host): route for route in there.routes}
        self.addresses = frozenset(one for route in there.routes for one in route.addresses)
        self.news.set()
        for tell in self.told:
            tell(self.addresses)

    def _note_away(self, error: Exception) -> None:
        if not self._away:
            log.warning("routes.away", why=str(error) or type(error).__name__)
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            log.info("routes.back")
        self._away = False
