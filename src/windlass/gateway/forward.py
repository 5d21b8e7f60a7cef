"""Answering a request: find who answers at this host name, try, and stream both ways."""

import aiohttp
from aiohttp import HttpVersion11, hdrs, web

from windlass.gateway import pages
from windlass.gateway.balance import Balance
from windlass.gateway.headers import for_client, wants_websocket
from windlass.gateway.presence import Presence
from windlass.gateway.probes import Probes
from windlass.gateway.table import Table
from windlass.gateway.upstream import Broken, HungUp, Unreachable, Upstream
from windlass.gateway.websockets import tunnel
from windlass.model.routes import Route


class Forwarder:
    """Passes requests on to instances, and answers itself where there is none."""

    def __init__(self, table: Table, presence: Presence, upstream: Upstream) -> None:
        self._table = table
        self._presence = presence
        self._underway = presence.underway
        self._upstream = upstream
        self._balance = Balance()
        self._probes = Probes(table, self._balance)

    async def close(self) -> None:
        """Nothing is to be forwarded any more."""
        await self._probes.close()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """What an instance says, or a page of our own."""
        hosts = request.headers.getall(hdrs.HOST, ())
        if len(hosts) != 1 or not hosts[0] or request.method == hdrs.METH_CONNECT:
            return pages.not_understood(request)
        if not self._presence.counted:
            await self._table.catch_up()
        tried: set[str] = set()
        fresh = not _may_be_sent_twice(request)
        while True:
            route = self._table.find(hosts[0])
            address = self._balance.choose(route.addresses, tried) if route else None
            if address is None:
                return self._page(request, hosts[0], route)
            try:
                return await self._pass_on(request, address, fresh=fresh)
            except Unreachable:
                tried.add(address)
                self._probes.leave_out(address)
                await self._table.refresh()  # the instance may have been replaced
            except HungUp:
                fresh = True  # the keep-alive race is lost once only
            except Broken:
                return pages.unreachable(request)

    def _page(self, request: web.BaseRequest, host: str, route: Route | None) -> web.StreamResponse:
        if not self._table.known:
            return pages.not_ready(request)
        if route is None:
            return pages.unknown(request, host)
        if not route.addresses:
            return pages.stopped(request, route.application)
        return pages.unreachable(request)

    async def _pass_on(
        self, request: web.BaseRequest, address: str, *, fresh: bool
    ) -> web.StreamResponse:
        self._balance.begin(address)
        try:
            self._underway.begin(address)
            try:
                upstream = await self._upstream.send(request, address, fresh=fresh)
            finally:
                self._underway.end(address)
            try:
                return await _relay(request, upstream)
            finally:
                # Read to its end, the connection is back in its pool and this does nothing. Else
                # the client has gone, and the instance hears of it.
                upstream.close()
        finally:
            self._balance.end(address)


def _may_be_sent_twice(request: web.BaseRequest) -> bool:
    return (
        request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        and not request.body_exists
        and not wants_websocket(request)
    )


async def _relay(request: web.BaseRequest, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    if upstream.status == 101:
        if not wants_websocket(request):
            raise Broken("the instance changed the protocol unasked")
        return await tunnel(request, upstream)
    if upstream.content.is_eof():
        return _whole(upstream)
    return await _streamed(request, upstream)


def _whole(upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    """A response that has come completely: headers and body leave in one write."""
    try:
        body = upstream.content.read_nowait()
    except aiohttp.ClientError as error:
        raise Broken(str(error)) from error
    headers = for_client(upstream.headers)
    return _WholeAsSent(
        status=upstream.status, reason=upstream.reason, headers=headers, body=body or None
    )


async def _streamed(
    request: web.BaseRequest, upstream: aiohttp.ClientResponse
) -> web.StreamResponse:
    response = _AsSent(
        status=upstream.status, reason=upstream.reason, headers=for_client(upstream.headers)
    )
    if request.version < HttpVersion11 and hdrs.CONTENT_LENGTH not in response.headers:
        response.force_close()  # to HTTP/1.0 only the end of the connection tells the end
    try:
        await response.prepare(request)
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, ConnectionError):
        # One of the two has gone. The client must not take what it got for the whole.
        if request.transport is not None:
            request.transport.close()
    return response


class _AsSent(web.StreamResponse):
    """A response to which aiohttp adds no type: browsers would save pages that came without."""

    async def _prepare_headers(self) -> None:
        typed = hdrs.CONTENT_TYPE in self.headers
        await super()._prepare_headers()
        if not typed:
            self.headers.popall(hdrs.CONTENT_TYPE, None)


class _WholeAsSent(_AsSent, web.Response):
    pass
