"""WebSockets: after the handshake the two connections are joined, byte for byte.

Nothing is taken apart, so subprotocols, extensions, close codes, pings and messages of any size
are agreed upon by the two ends alone.
"""

import asyncio
from typing import cast

import aiohttp
from aiohttp import hdrs, web
from aiohttp.http import WebSocketReader
from aiohttp.streams import EMPTY_PAYLOAD

from windlass.gateway.headers import for_client


async def tunnel(request: web.BaseRequest, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    """Join client and instance until one of them hangs up."""
    response = web.StreamResponse(status=101, headers=for_client(upstream.headers))
    response.headers[hdrs.CONNECTION] = "Upgrade"
    response.headers[hdrs.UPGRADE] = "websocket"
    response.force_close()
    await response.prepare(request)
    await _join(request, upstream)
    return response


async def _join(request: web.BaseRequest, upstream: aiohttp.ClientResponse) -> None:
    connection = upstream.connection
    inner = connection.protocol if connection is not None else None
    if inner is None or inner.transport is None or request.transport is None:
        return  # one of them has gone already
    client = _End(request.protocol, request.transport)
    instance = _End(inner, inner.transport)
    client.peer, instance.peer = instance, client
    # The first frames may have come together with the handshake: aiohttp gives them to a parser.
    early_client, early_instance = _Early(), _Early()
    request.protocol.set_parser(cast(WebSocketReader, early_client))
    inner.set_parser(early_instance, EMPTY_PAYLOAD)
    client.take_over(bytes(early_instance.data))
    instance.take_over(bytes(early_client.data))
    await asyncio.wait({client.lost, instance.lost}, return_when=asyncio.FIRST_COMPLETED)


class _Early:
    """Stands where aiohttp expects a parser, and only collects."""

    def __init__(self) -> None:
        self.data = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        pass


class _End(asyncio.Protocol):
    """One of two joined connections; what comes in here goes out there, no faster than it can."""

    peer: "_End"

    def __init__(self, former: asyncio.Protocol, transport: asyncio.Transport) -> None:
        self._former = former
        self._transport = transport
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take_over(self, early: bytes) -> None:
        self._transport.set_protocol(self)
        if early:
            self._transport.write(early)

    def data_received(self, data: bytes) -> None:
        self.peer._transport.write(data)

    def pause_writing(self) -> None:
        self.peer._transport.pause_reading()

    def resume_writing(self) -> None:
        self.peer._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        self.peer._transport.close()  # after what is still to be written there
        self._former.connection_lost(exc)  # aiohttp keeps the books of its connections
