"""Who answers at which host name, and what is said where nobody does."""

import pytest

from windlass.gateway.table import plain_name
from windlass.model.routes import Route

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9"}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("blog.localhost", "blog.localhost"),
        ("BLOG.LocalHost:8080", "blog.localhost"),
        ("blog.localhost.", "blog.localhost"),
        ("[::1]:8080", "[::1]"),
        ("", ""),
    ],
)
def test_a_host_header_is_taken_without_case_port_and_final_dot(header, name):
    assert plain_name(header) == name


async def test_each_host_name_has_its_own_application(gateway, serve, start, says):
    await serve(await start(says("blog")))
    await serve(await start(says("shop")), host="shop.localhost")
    for host, text in [("BLOG.localhost:80", "blog"), ("shop.LOCALHOST", "shop")]:
        async with gateway.ask(headers={"Host": host}) as response:
            assert (response.status, await response.text()) == (200, text)


async def test_an_unknown_host_gets_a_page_with_nothing_of_its_name_unescaped(gateway):
    async with gateway.ask(headers={"Host": "<script>x</script>", **HTML}) as response:
        page = await response.text()
    assert response.status == 404
    assert response.content_type == "text/html"
    assert "<script>" not in page and "&lt;script&gt;" in page


async def test_a_stopped_application_gets_503_with_its_name(gateway, serve):
    await serve()
    async with gateway.ask(headers=HTML) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "blog does not run" in await response.text()


async def test_a_name_is_escaped(gateway, routes):
    routes.rows.append(Route("odd.localhost", "<b>odd</b>"))
    routes.tell()
    await gateway.knows("odd.localhost")
    async with gateway.ask(headers={"Host": "odd.localhost", **HTML}) as response:
        assert "<b>odd" not in await response.text()


async def test_nobody_there_gets_502(gateway, serve, dead):
    await serve(dead)
    async with gateway.ask(headers=HTML) as response:
        assert response.status == 502
        assert "did not answer" in await response.text()


@pytest.mark.parametrize("accept", ["application/json", "text/html;q=0, text/plain", ""])
async def test_who_does_not_take_html_gets_plain_text(gateway, accept):
    async with gateway.ask(headers={"Accept": accept}) as response:
        assert (response.status, response.content_type) == (404, "text/plain")
        assert "<" not in await response.text()


async def test_head_of_a_page_has_no_body(gateway):
    async with gateway.ask(method="HEAD") as response:
        assert (response.status, await response.read()) == (404, b"")


@pytest.mark.parametrize(
    "lines",
    [
        ["GET / HTTP/1.1", "Connection: close"],
        ["GET / HTTP/1.1", "Host:", "Connection: close"],
        ["GET / HTTP/1.1", "Host: a", "Host: b", "Connection: close"],
        ["CONNECT a:443 HTTP/1.1", "Host: a"],
        ["GET / HTTP/1.1", "Host: a", f"X-Long: {'x' * 70_000}"],
        ["GET / HTTP/1.1", "Host: a", *(f"X-{n}: 1" for n in range(200))],
        ["POST / HTTP/1.1", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked"],
    ],
)
async def test_what_cannot_be_understood_gets_400_and_the_connection_ends(gateway, lines):
    reader, writer = await gateway.say(*lines)
    assert (await reader.readline()).split()[1] == b"400"
    await reader.read()  # to the end of the connection
    writer.close()


async def test_before_the_routes_were_ever_read_it_says_so(routes, stack, running):
    routes.away = True
    gateway = await stack.enter_async_context(running(routes))
    async with gateway.ask() as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
    routes.away = False
    await gateway.knows(None)
    async with gateway.ask() as response:
        assert response.status == 404


async def test_the_last_table_serves_while_the_store_is_away(
    gateway, serve, start, says, routes, until
):
    await serve(await start(says("still here")))
    routes.away = True
    reads = routes.reads
    routes.tell()
    await until(lambda: routes.reads > reads)
    async with gateway.ask() as response:
        assert await response.text() == "still here"
    routes.away = False
    await serve()  # and it hears of changes again


async def test_a_route_that_goes_is_forgotten(gateway, serve, start, says, routes, until):
    await serve(await start(says("here")))
    routes.rows.clear()
    routes.tell()
    await until(lambda: gateway.table.find("blog.localhost") is None)
    async with gateway.ask() as response:
        assert response.status == 404
