"""How a router begins beside another one, and ends without dropping a request."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from windlass.gateway.router import Router


@pytest.fixture
async def slow(start, serve):
    """An instance that answers when it is let go."""
    gate = Gate()

    async def handler(request):
        gate.taken.set()
        body = await request.read()
        await gate.open.wait()
        return web.Response(text=f"{len(body)} bytes")

    await serve(await start(handler))
    return gate


class Gate:
    def __init__(self):
        self.taken, self.open = asyncio.Event(), asyncio.Event()


async def refused(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return True
    writer.close()
    return False


async def closed_to_all(port):
    while not await refused(port):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_request_in_flight_is_finished(gateway, slow):
    asked = asyncio.create_task(text_of(gateway.ask()))
    await slow.taken.wait()
    gateway.stop.set()
    await closed_to_all(gateway.router.port)
    assert not gateway.task.done()
    slow.open.set()
    assert await asked == ("0 bytes", "close")
    await gateway.task


async def test_an_upload_in_flight_is_finished(gateway, slow):
    resume = asyncio.Event()

    async def parts():
        yield b"x" * 100_000
        await resume.wait()
        yield b"x" * 100_000

    asked = asyncio.create_task(text_of(gateway.ask(method="POST", data=parts())))
    await slow.taken.wait()
    gateway.stop.set()
    await closed_to_all(gateway.router.port)
    resume.set()
    slow.open.set()
    assert (await asked)[0] == "200000 bytes"
    await gateway.task


async def test_a_request_over_a_connection_that_stands_open_is_answered(gateway, slow, monkeypatch):
    monkeypatch.setattr("windlass.gateway.router.LINGER", 10.0)  # however slow this machine is
    slow.open.set()
    reader, writer = await gateway.say("GET / HTTP/1.1", "Host: blog.localhost")
    assert (await reader.readuntil(b"0 bytes")).startswith(b"HTTP/1.1 200 ")
    gateway.stop.set()
    await closed_to_all(gateway.router.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: blog.localhost\r\n\r\n")
    last = await reader.read()  # to the end of the connection
    assert last.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in last
    writer.close()
    await gateway.task


async def test_what_does_not_end_within_the_grace_is_broken_off(stack, routes, running, start):
    taken = asyncio.Event()

    async def handler(request):
        taken.set()
        await asyncio.Event().wait()

    routes.answer("blog.localhost", await start(handler))
    gateway = await stack.enter_async_context(running(routes, grace=0.1))
    await gateway.knows("blog.localhost")
    asked = asyncio.create_task(text_of(gateway.ask()))
    await taken.wait()
    await gateway.end()
    with pytest.raises(aiohttp.ClientError):
        await asked


@pytest.fixture
def echo():
    async def handler(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    return handler


async def test_a_websocket_goes_on_while_the_router_ends(gateway, start, serve, echo):
    await serve(await start(echo))
    headers = {"Host": "blog.localhost"}
    async with gateway.session.ws_connect(gateway.url, headers=headers) as socket:
        gateway.stop.set()
        await closed_to_all(gateway.router.port)
        await socket.send_str("still here")
        assert await socket.receive_str() == "still here"
        assert not gateway.task.done()
    await gateway.task


async def test_a_websocket_is_broken_off_after_the_grace(stack, routes, running, start, echo):
    routes.answer("blog.localhost", await start(echo))
    gateway = await stack.enter_async_context(running(routes, grace=0.1))
    await gateway.knows("blog.localhost")
    headers = {"Host": "blog.localhost"}
    async with gateway.session.ws_connect(gateway.url, headers=headers) as socket:
        await gateway.end()
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED


async def test_idle_connections_do_not_keep_it_from_ending(gateway, slow):
    slow.open.set()
    async with gateway.ask() as response:
        await response.read()  # the session keeps the connection
    await gateway.end()


async def test_a_new_router_begins_beside_the_old_one(gateway, routes, serve, start, says):
    await serve(await start(says("here")))
    stop, ready = asyncio.Event(), asyncio.Event()
    other = Router(routes, "127.0.0.1", gateway.router.port)
    task = asyncio.create_task(other.run(stop, ready.set))
    await ready.wait()
    await gateway.end()
    routes.tell()
    while not other._table.known:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    async with aiohttp.ClientSession() as session:
        headers = {"Host": "blog.localhost"}
        async with session.get(gateway.url, headers=headers) as response:
            assert await response.text() == "here"
    stop.set()
    await task


async def test_a_port_that_is_taken_is_told_as_such(routes):
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError):
        await Router(routes, "127.0.0.1", port).run(asyncio.Event(), lambda: None)
    server.close()


async def text_of(asking):
    async with asking as response:
        return await response.text(), response.headers.get("Connection")
