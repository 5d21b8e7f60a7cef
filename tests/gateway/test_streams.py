"""Nothing is held back on its way: uploads, events, WebSockets."""

import asyncio
import hashlib
import tracemalloc

import aiohttp
import pytest
from aiohttp import WSMsgType, web

MEGABYTE = 1024 * 1024
SIZE = 20  # megabytes: large against what may be held on the way


async def test_an_upload_streams_through_in_little_memory(gateway, start, serve):
    async def handler(request):
        digest = hashlib.sha256()
        async for chunk in request.content.iter_any():
            digest.update(chunk)
        return web.Response(text=digest.hexdigest())

    async def parts():
        for number in range(SIZE * 16):
            yield bytes([number % 256]) * (MEGABYTE // 16)

    await serve(await start(handler))
    tracemalloc.start()
    try:
        async with gateway.ask(method="PUT", data=parts()) as response:
            received = await response.text()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    sent = hashlib.sha256(b"".join([part async for part in parts()])).hexdigest()
    assert received == sent
    assert peak < SIZE * MEGABYTE / 2


async def test_a_download_waits_for_a_slow_client(gateway, start, serve):
    async def handler(request):
        response = web.StreamResponse(headers={"Content-Length": str(SIZE * MEGABYTE)})
        await response.prepare(request)
        for _ in range(SIZE):
            await response.write(b"x" * MEGABYTE)
        return response

    await serve(await start(handler))
    tracemalloc.start()
    try:
        async with gateway.ask() as response:
            await asyncio.sleep(0.2)  # in which all would pile up in a router that does not wait
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == SIZE * MEGABYTE
    assert peak < SIZE * MEGABYTE / 2


async def test_an_upload_is_answered_while_it_goes_on(gateway, start, serve):
    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk.upper())
        return response

    heard = asyncio.Event()

    async def parts():
        yield b"first"
        await heard.wait()
        yield b"second"

    await serve(await start(handler))
    async with gateway.ask(method="POST", data=parts()) as response:
        assert await response.content.readexactly(5) == b"FIRST"
        heard.set()
        assert await response.read() == b"SECOND"


async def test_an_upload_may_be_refused_before_its_end(gateway, start, serve):
    async def handler(request):
        return web.Response(status=413, text="too much")

    never = asyncio.Event()

    async def parts():
        yield b"some"
        await never.wait()

    await serve(await start(handler))
    async with gateway.ask(method="POST", data=parts()) as response:
        assert (response.status, await response.text()) == (413, "too much")


async def test_an_event_arrives_before_the_end(gateway, start, serve):
    heard = asyncio.Event()

    async def handler(request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await heard.wait()
        await response.write(b"data: 2\n\n")
        return response

    await serve(await start(handler))
    async with gateway.ask() as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b"data: 1\n"
        heard.set()
        assert (await response.content.read()).endswith(b"data: 2\n\n")


async def test_a_client_that_goes_ends_the_request_to_the_instance(gateway, start_raw, serve):
    begun, gone = asyncio.Event(), asyncio.Event()

    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        await reader.read()  # returns when the router closes the connection
        gone.set()

    await serve(await start_raw(handler))
    _, writer = await gateway.say("GET / HTTP/1.1", "Host: blog.localhost")
    await begun.wait()
    writer.close()
    await gone.wait()


async def test_continue_is_said_when_an_instance_takes_the_body(gateway, start, serve):
    async def handler(request):
        return web.Response(body=await request.read())

    await serve(await start(handler))
    reader, writer = await gateway.say(
        "POST / HTTP/1.1", "Host: blog.localhost", "Content-Length: 4", "Expect: 100-continue"
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"body")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(4) == b"body"
    writer.close()


async def test_continue_is_not_said_where_nobody_takes_the_body(gateway, serve):
    await serve()
    reader, writer = await gateway.say(
        "POST / HTTP/1.1", "Host: blog.localhost", "Content-Length: 4", "Expect: 100-continue"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b" 503 " in head and b"Connection: close" in head


@pytest.fixture
async def echo(start, serve):
    """An instance that echoes frames, greets at once, and closes when told."""

    async def handler(request):
        socket = web.WebSocketResponse(protocols=("chat", "other"))
        await socket.prepare(request)
        await socket.send_str("welcome")
        async for message in socket:
            if message.data == "close":
                await socket.close(code=4321, message=b"as you said")
            elif message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        closed.append(socket.close_code)
        return socket

    closed = []
    await serve(await start(handler))
    return closed


def connect(gateway, **more):
    headers = {"Host": "blog.localhost"}
    return gateway.session.ws_connect(gateway.url, headers=headers, max_msg_size=0, **more)


async def test_a_websocket_goes_both_ways(gateway, echo):
    async with connect(gateway, protocols=("unknown", "chat"), compress=15) as socket:
        assert socket.protocol == "chat"
        assert socket.compress == 15  # agreed upon with the instance itself
        assert await socket.receive_str() == "welcome"
        await socket.send_str("grüß Gott")
        assert await socket.receive_str() == "grüß Gott"
        large = bytes(range(256)) * 4096
        await socket.send_bytes(large)
        assert await socket.receive_bytes() == large


async def test_a_websocket_is_closed_with_the_code_of_the_instance(gateway, echo):
    async with connect(gateway) as socket:
        await socket.receive_str()
        await socket.send_str("close")
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (
            WSMsgType.CLOSE,
            4321,
            "as you said",
        )


async def test_a_websocket_is_closed_with_the_code_of_the_client(gateway, echo, until):
    async with connect(gateway) as socket:
        await socket.receive_str()
        await socket.close(code=4242)
    await until(lambda: echo == [4242])


async def test_a_websocket_that_breaks_off_ends_on_the_other_side(gateway, echo, until):
    async with connect(gateway) as socket:
        await socket.receive_str()
        socket._response.connection.transport.abort()
        await until(lambda: echo == [1006])


async def test_a_refused_handshake_is_passed_on(gateway, start, serve):
    async def handler(request):
        return web.Response(status=403, text="not you", headers={"X-Why": "because"})

    await serve(await start(handler))
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connect(gateway):
            pass
    assert (refused.value.status, refused.value.headers["X-Why"]) == (403, "because")


async def test_a_websocket_waits_for_a_slow_instance(gateway, start, serve):
    begin = asyncio.Event()

    async def handler(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await begin.wait()
        size = 0
        while size < SIZE * MEGABYTE:
            size += len(await socket.receive_bytes())
        await socket.send_str(str(size))
        await socket.receive()
        return socket

    async def send(socket):
        for _ in range(SIZE * 16):
            await socket.send_bytes(b"x" * (MEGABYTE // 16))

    await serve(await start(handler))
    tracemalloc.start()
    try:
        async with connect(gateway) as socket, asyncio.TaskGroup() as tasks:
            tasks.create_task(send(socket))
            await asyncio.sleep(0.2)  # in which all would pile up in a router that does not wait
            begin.set()
            assert await socket.receive_str() == str(SIZE * MEGABYTE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < SIZE * MEGABYTE / 2
