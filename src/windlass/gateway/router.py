"""The router: it listens, answers by host name, and ends without dropping a request."""

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from windlass.gateway.forward import Forwarder
from windlass.gateway.presence import Presence
from windlass.gateway.table import Table
from windlass.gateway.upstream import Upstream
from windlass.model.routes import Routes

log = structlog.get_logger()

GRACE = 30.0  # seconds that requests in flight have when the router ends
LINGER = 0.5  # seconds in which a request may still come over a connection that stands open
TICK = 0.02  # seconds between two looks at what is still in flight
LEAVE = 0.5  # seconds for what is left after the grace to be broken off in order
KEEP_ALIVE = 75.0  # seconds that a client may be silent between requests, or within its headers
MAX_LINE = 16 * 1024  # bytes of a request's first line, and of each header
MAX_HEADERS = 128  # headers of a request
BACKLOG = 1024  # connections that wait to be accepted


class Router:
    """Serves the applications' traffic on one port, until it is told to stop."""

    def __init__(self, routes: Routes, host: str, port: int, *, grace: float = GRACE) -> None:
        self._table = Table(routes)
        self._presence = Presence(routes, self._table)
        self._host = host
        self._port = port
        self._grace = grace
        self._busy: set[RequestHandler] = set()
        self._stopping = False

    @property
    def port(self) -> int:
        """The port it listens on: with port 0, the one that the system chose."""
        return self._port

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Listen, say `ready`, serve until `stop` is set, and finish what is in flight."""
        keepers = {asyncio.create_task(one.keep()) for one in (self._table, self._presence)}
        try:
            async with Upstream() as upstream:
                self._table.told.append(upstream.keep)
                forwarder = Forwarder(self._table, self._presence, upstream)
                try:
                    await self._serve(forwarder, stop, ready)
                finally:
                    await forwarder.close()
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.wait(keepers)
            await self._presence.leave()

    async def _serve(
        self, forwarder: Forwarder, stop: asyncio.Event, ready: Callable[[], None]
    ) -> None:
        server = self._server(forwarder)
        runner = web.ServerRunner(server, shutdown_timeout=LEAVE)
        listening = self._bind()
        try:
            await runner.setup()
            site = web.SockSite(runner, listening, backlog=BACKLOG)
            await site.start()
            ready()
            await stop.wait()
            # Closing resets what the system has connected and we have not yet accepted: first let
            # no more in. Who comes now tries again by itself, and finds the new router.
            listening.listen(0)
            await asyncio.sleep(TICK)
            await site.stop()
            await self._finish(server)
        finally:
            await runner.cleanup()
            listening.close()

    def _server(self, forwarder: Forwarder) -> web.Server:
        return web.Server(
            partial(self._handle, forwarder),
            handler_cancellation=True,  # a client that goes ends its request to the instance
            auto_decompress=False,
            access_log=None,
            logger=_quiet(),
            keepalive_timeout=KEEP_ALIVE,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
        )

    async def _handle(self, forwarder: Forwarder, request: web.BaseRequest) -> web.StreamResponse:
        self._busy.add(request.protocol)
        try:
            response = await forwarder.answer(request)
        except ConnectionError:
            raise  # the client has gone: nothing to tell, and nobody to tell it to
        except Exception:
            log.exception("request.failed", method=request.method, path=request.raw_path)
            raise
        finally:
            self._busy.discard(request.protocol)
        if self._stopping:
            response.force_close()
        return response

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        at = (self._host, self._port)
        # Shared, so that a new router may begin on the port before the old one ends.
        listening = socket.create_server(at, family=family, backlog=BACKLOG, reuse_port=True)
        self._port = listening.getsockname()[1]
        return listening

    async def _finish(self, server: web.Server) -> None:
        """Wait for what is in flight; aiohttp's own shutdown would cut uploads off."""
        self._stopping = True
        clock = asyncio.get_running_loop().time
        linger, end = clock() + LINGER, clock() + self._grace
        await asyncio.sleep(0)  # what was accepted in this very moment counts
        while server.connections and clock() < end:
            if clock() > linger and not self._busy and not _unsent(server):
                break
            await asyncio.sleep(TICK)


def _unsent(server: web.Server) -> bool:
    """Whether a slow client still has bytes to get."""
    transports = [connection.transport for connection in server.connections]
    return any(t.get_write_buffer_size() for t in transports if t is not None)


def _quiet() -> logging.Logger:
    # aiohttp logs a traceback for every malformed request, and the whole world may send those. What
    # goes wrong in answering a good one is logged above.
    logger = logging.getLogger("windlass.gateway.http")
    logger.setLevel(logging.CRITICAL)
    return logger
