"""A router among the living: what it says that it serves, and when it trusts its table."""

import asyncio

from aiohttp import web

from windlass.model.routes import Route


def serves(routes):
    (version,) = routes.living.values()
    return version


async def test_it_says_what_it_serves_as_soon_as_it_does(
    gateway, routes, serve, start, says, until
):
    await until(lambda: list(routes.living.values()) == [routes.version])
    await serve(await start(says("a")))
    began = asyncio.get_running_loop().time()
    await until(lambda: serves(routes) == routes.version)
    assert asyncio.get_running_loop().time() - began < 0.3


async def test_it_does_not_before_requests_to_the_old_instance_are_answered(
    gateway, routes, serve, start, says, until
):
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(request):
        asked.set()
        await go.wait()
        return web.Response(text="old")

    await serve(await start(slow))
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(gateway.ask().__aenter__())
        await asked.wait()
        await serve(await start(says("new")))
        await asyncio.sleep(0.8)  # more than a beat
        assert serves(routes) == routes.version - 1
        async with gateway.ask() as response:
            assert await response.text() == "new"
        go.set()
        await until(lambda: serves(routes) == routes.version)
        assert (await answer).status == 200


async def test_a_request_that_is_being_answered_is_not_waited_for(
    gateway, routes, serve, start, says, until
):
    go = asyncio.Event()

    async def streams(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        await go.wait()
        return response

    await serve(await start(streams))
    async with gateway.ask() as response:
        await response.content.readexactly(5)
        await serve(await start(says("new")))
        await until(lambda: serves(routes) == routes.version)
        go.set()
        assert await response.read() == b""


async def test_who_was_taken_for_dead_reads_before_it_answers(
    gateway, routes, serve, start, says, until
):
    """As after a freeze: it was struck off, the routes are others, and nobody has told it."""
    await serve(await start(says("old")))
    (first,) = routes.living
    routes.living.clear()
    await until(lambda: routes.living)
    assert first not in routes.living
    presence = gateway.router._presence
    presence._confirmed = float("-inf")
    routes.version += 1
    routes.rows[0] = Route("blog.localhost", "blog", (await start(says("new")),))
    async with gateway.ask() as response:
        assert await response.text() == "new"
    await until(lambda: presence.counted)


async def test_while_the_store_is_away_the_table_does(gateway, routes, serve, start, says, until):
    """It is not counted then, and serves on: without asking the store for every request."""
    await serve(await start(says("here")))
    routes.away = True
    await until(lambda: not gateway.router._presence.counted)
    routes.tell()
    await until(lambda: not gateway.table.current)
    reads = routes.reads
    for _ in range(50):
        async with gateway.ask() as response:
            assert await response.text() == "here"
    assert routes.reads - reads < 10


async def test_it_leaves_when_it_ends(gateway, routes, until):
    await until(lambda: routes.living)
    await gateway.end()
    assert routes.living == {}
