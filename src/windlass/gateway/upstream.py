"""The way to the instances: one request, sent at most once, over a pooled or a fresh connection."""

from collections.abc import AsyncIterator, Set
from functools import lru_cache, partial
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary, WeakSet

import aiohttp
from aiohttp import hdrs, web
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from windlass.errors import Transient
from windlass.gateway.headers import for_upstream

CONNECT = 5.0  # seconds until an instance must have accepted; what comes then may take for ever
MAX_LINE = (
    64 * 1024
)  # bytes of one header of a response: applications are trusted more than clients
NOT_OURS_TO_ADD = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE)


_Place = tuple[str | None, int | None]  # host and port


class Unreachable(Transient):
    """Connecting failed: nothing was sent, and another address may do."""


class HungUp(Transient):
    """A connection that had served before was closed instead of answering."""


class Broken(Transient):
    """The instance took the request and gave no usable answer."""


class Upstream:
    """Sends requests to instances; a context manager that holds the connections."""

    def __init__(self) -> None:
        self._pool = _Pool()
        self._pooled = _session(self._pool)
        # A request that must not be sent twice cannot use a connection that may just be closing.
        self._fresh = _session(_Pool(force_close=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._pooled.close()
        await self._fresh.close()

    def keep(self, addresses: frozenset[str]) -> None:
        """No connection stays open to an address that no route leads to any more.

        Many a server waits for those that stand idle before it ends.
        """
        self._pool.keep({(url.raw_host, url.port) for url in map(_origin, addresses)})

    async def send(
        self, request: web.BaseRequest, address: str, *, fresh: bool
    ) -> aiohttp.ClientResponse:
        """The beginning of the answer; raises Unreachable, HungUp (if not `fresh`) or Broken."""
        session = self._fresh if fresh else self._pooled
        return await session.request(
            request.method,
            _target(request, address),
            headers=for_upstream(request, request.headers[hdrs.HOST]),
            data=_body(request) if request.body_exists else None,
            allow_redirects=False,
        )


class _Request(aiohttp.ClientRequest):
    """A request that knows whether its connection has served before."""

    reused = False


class _Pool(aiohttp.TCPConnector):
    """Connections: which have served before, which do so now, and where they lead."""

    def __init__(self, *, force_close: bool = False) -> None:
        super().__init__(limit=0, force_close=force_close)
        self._served: WeakKeyDictionary[ResponseHandler, _Place] = WeakKeyDictionary()
        self._busy: WeakSet[ResponseHandler] = WeakSet()
        self._kept: Set[_Place] = frozenset()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if isinstance(req, _Request) and protocol is not None:
            req.reused = protocol in self._served
            place = self._served[protocol] = (req.url.raw_host, req.url.port)
            self._busy.add(protocol)
            connection.add_callback(partial(self._busy.discard, protocol))
            if place not in self._kept:
                protocol.force_close()
        return connection

    def keep(self, kept: Set[_Place]) -> None:
        """Close what leads elsewhere, or let it close when it has been used."""
        self._kept = kept
        for protocol, place in list(self._served.items()):
            if place not in kept:
                protocol.force_close()
                if protocol not in self._busy:
                    protocol.close()


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=NOT_OURS_TO_ADD,
        middlewares=(_only_once,),
        request_class=_Request,
        max_line_size=MAX_LINE,
        max_field_size=MAX_LINE,
    )


async def _only_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # Errors leave as our own because aiohttp would send PUT and DELETE again after its own ones.
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise Unreachable(str(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(request, _Request) and request.reused:
            raise HungUp(str(error)) from error
        raise Broken(str(error)) from error


def _target(request: web.BaseRequest, address: str) -> URL:
    # The raw path with its query goes in as the path, for yarl to leave every byte alone.
    raw = request.raw_path
    if not raw.startswith("/"):  # a client that takes us for a proxy sends the whole URL
        raw = request.rel_url.raw_path_qs
    return _origin(address).with_path(raw, encoded=True)


@lru_cache(maxsize=4096)
def _origin(address: str) -> URL:
    return URL(f"http://{address}")


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    # Only now, with an instance at the other end, is the client told to send what it holds back.
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the response itself has not begun
    async for chunk in request.content.iter_any():
        yield chunk
