"""What passes through: methods, paths, headers and bodies, as they were sent."""

import asyncio
import json

import pytest
from aiohttp import web


@pytest.fixture
async def mirror(start, serve):
    """An instance that tells what it was asked."""

    async def handler(request):
        body = await request.read()
        return web.json_response(
            {
                "method": request.method,
                "path": request.raw_path,
                "headers": [[name, value] for name, value in request.headers.items()],
                "body": body.decode(),
            }
        )

    await serve(await start(handler))


async def received(gateway, *lines):
    """What the instance received of a request sent line by line."""
    reader, writer = await gateway.say(*lines, "Connection: close")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b" 200 " in head.partition(b"\r\n")[0]
    return json.loads(body)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//a",
        "/a//b/../c",
        "/a%2Fb%20c?x=%20&y=a+b&z",
        "/?",
        "/a?b?c",
        "/%zz%",
        "/a;b=1,2:@!$'()*~",
    ],
)
async def test_the_path_is_passed_on_byte_for_byte(gateway, mirror, path):
    told = await received(gateway, f"GET {path} HTTP/1.1", "Host: blog.localhost")
    assert told["path"] == path


async def test_a_whole_url_is_passed_on_as_its_path(gateway, mirror):
    url = "http://blog.localhost/a%2Fb?c=1"
    told = await received(gateway, f"GET {url} HTTP/1.1", "Host: blog.localhost")
    assert told["path"] == "/a%2Fb?c=1"


async def test_the_headers_are_cleaned(gateway, mirror):
    told = await received(
        gateway,
        "GET / HTTP/1.1",
        "Host: Blog.localhost:8080",
        "Connection: X-Secret",
        "X-Secret: for the router only",
        "Keep-Alive: 5",
        "TE: trailers",
        "Proxy-Authorization: Basic x",
        "Upgrade: h2c",
        "X-Forwarded-For: 6.6.6.6",
        "X_Forwarded_For: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Anything: x",
        "Forwarded: for=6.6.6.6",
        "X-Real-IP: 6.6.6.6",
        "X-Mine: 1",
        "X-Mine: 2",
        "Cookie: a=b; c=d",
    )
    assert sorted(map(tuple, told["headers"])) == [
        ("Cookie", "a=b; c=d"),
        ("Host", "Blog.localhost:8080"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "Blog.localhost:8080"),
        ("X-Forwarded-Proto", "http"),
        ("X-Mine", "1"),
        ("X-Mine", "2"),
    ]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_may_have_a_body(gateway, mirror, method):
    async with gateway.ask(method=method, data=b"a body") as response:
        told = await response.json()
    assert (told["method"], told["body"]) == (method, "a body")
    lengths = [v for n, v in told["headers"] if n in ("Content-Length", "Transfer-Encoding")]
    assert lengths == ["6"]


async def test_a_chunked_body_stays_chunked(gateway, mirror):
    async def parts():
        yield b"one "
        yield b"two"

    async with gateway.ask(method="POST", data=parts()) as response:
        told = await response.json()
    assert told["body"] == "one two"
    lengths = [v for n, v in told["headers"] if n in ("Content-Length", "Transfer-Encoding")]
    assert lengths == ["chunked"]


async def test_a_compressed_upload_is_left_compressed(gateway, mirror):
    headers = {"Content-Encoding": "gzip"}
    async with gateway.ask(method="POST", data=b"not unpacked", headers=headers) as response:
        assert (await response.json())["body"] == "not unpacked"


async def test_a_response_is_passed_on_with_its_own_headers_once(gateway, start_raw, serve):
    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 418 Short and stout\r\nContent-Length: 3\r\nConnection: close, X-Hop\r\n"
            b"X-Hop: 1\r\nKeep-Alive: 5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            b"Content-Encoding: gzip\r\nContent-Type: text/odd\r\nServer: mine\r\n\r\ntea"
        )

    await serve(await start_raw(handler))
    async with gateway.ask() as response:
        assert (response.status, response.reason) == (418, "Short and stout")
        assert await response.read() == b"tea"
        headers = response.headers
    assert headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert headers.getall("Content-Length") == ["3"]
    assert (headers["Server"], headers["Content-Encoding"]) == ("mine", "gzip")
    assert not {"X-Hop", "Keep-Alive", "Transfer-Encoding"} & set(headers)


async def test_head_tells_the_length_and_sends_nothing(gateway, start, serve):
    async def handler(request):
        return web.Response(body=b"x" * 1234)

    await serve(await start(handler))
    reader, writer = await gateway.say(
        "HEAD / HTTP/1.1", "Host: blog.localhost", "Connection: close"
    )
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b"Content-Length: 1234" in head and b"Transfer-Encoding" not in head
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(gateway, start, serve, status):
    async def handler(request):
        return web.Response(status=status, headers={"ETag": '"1"'})

    await serve(await start(handler))
    for _ in range(2):  # over one connection: nothing is left between the two
        async with gateway.ask() as response:
            assert (response.status, response.headers["ETag"]) == (status, '"1"')
            assert await response.read() == b""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_response_without_a_length_ends_as_the_client_understands(
    gateway, start_raw, serve, version
):
    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nas long ")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"as it lasts")

    await serve(await start_raw(handler))
    reader, writer = await gateway.say(
        f"GET / HTTP/{version}", "Host: blog.localhost", "Connection: keep-alive"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    end = b"0\r\n\r\n" if version == "1.1" else b"as it lasts"
    assert (b"chunked" in head) == (version == "1.1")
    assert (await reader.readuntil(end)).endswith(end)
    writer.close()


async def test_a_response_that_breaks_off_is_not_taken_for_whole(gateway, start_raw, serve):
    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")

    await serve(await start_raw(handler))
    reader, writer = await gateway.say("GET / HTTP/1.1", "Host: blog.localhost")
    everything = await reader.read()
    writer.close()
    assert everything.endswith(b"4\r\nhalf\r\n")  # and no chunk of length 0


async def test_one_connection_serves_many_requests(gateway, mirror):
    reader, writer = await gateway.say("GET /0 HTTP/1.1", "Host: blog.localhost")
    for number in range(1, 4):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        assert f"/{number - 1}".encode() in await reader.readexactly(length)
        writer.write(f"GET /{number} HTTP/1.1\r\nHost: blog.localhost\r\n\r\n".encode())
    writer.close()


@pytest.mark.parametrize("at_once", [True, False])
async def test_no_type_is_added_to_a_response_without_one(gateway, start_raw, serve, at_once):
    async def handler(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"[: None if at_once else -3]
        )
        await writer.drain()
        if not at_once:
            await asyncio.sleep(0.05)
            writer.write(b"ml>")

    await serve(await start_raw(handler))
    async with gateway.ask() as response:
        assert await response.read() == b"<html>"
        assert "Content-Type" not in response.headers


async def test_a_header_that_is_no_text_does_not_hurt(gateway, start_raw, serve):
    async def handler(reader, writer):
        assert b"X-Name: caf" in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Name: caf\xe9\r\nContent-Length: 2\r\n\r\nok")

    await serve(await start_raw(handler))
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.router.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: blog.localhost\r\nX-Name: caf\xe9\r\n\r\n")
    # aiohttp writes headers as UTF-8 and leaves out what is none.
    assert b"X-Name: caf\r\n" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
