"""The routes' version, and who has come to it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from windlass.model.ids import AppId, RouterId
from windlass.store.access import Access
from windlass.store.database import Database
from windlass.store.routers import Routers, raise_version, version_of
from windlass.store.routing import StoredRoutes
from windlass.store.store import Store

A, B = RouterId("ta"), RouterId("tb")
PATIENCE = 15.0


@pytest.fixture
def routers(database: Database) -> Routers:
    return Routers(Access(database))


@pytest.fixture
async def elsewhere(database: Database) -> AsyncIterator[StoredRoutes]:
    """The routes as another process sees them."""
    routes = StoredRoutes(Database(database.url))
    yield routes
    await routes.close()


async def test_who_sees_a_version_sees_all_that_came_before_it(
    database: Database, routers: Routers
) -> None:
    """The one who raised it first commits first, however long he takes."""
    raised, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.write() as connection:
            await raise_version(connection)
            raised.set()
            await go.wait()

    async def fast() -> int:
        async with database.write() as connection:
            await raise_version(connection)
            return await version_of(connection)

    first = asyncio.create_task(slow())
    await raised.wait()
    second = asyncio.create_task(fast())
    await asyncio.sleep(0.1)
    assert not second.done()
    assert await routers.version() == 0
    go.set()
    await first
    assert await second == 2
    assert await routers.version() == 2


async def test_what_is_rolled_back_raises_nothing(database: Database, routers: Routers) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.write() as connection:
            await raise_version(connection)
            raise ZeroDivisionError
    assert await routers.version() == 0


async def test_routes_are_read_only_when_they_are_others(elsewhere: StoredRoutes) -> None:
    first = await elsewhere.all(None)
    assert first is not None
    assert first.routes == ()
    assert await elsewhere.all(first.version) is None
    async with elsewhere.database.write() as connection:
        await raise_version(connection)
    second = await elsewhere.all(first.version)
    assert second is not None
    assert second.version == first.version + 1


async def test_nobody_waits_where_no_router_lives(routers: Routers) -> None:
    await asyncio.wait_for(routers.caught_up(7), PATIENCE)


async def test_a_switch_waits_for_every_living_router(
    routers: Routers, elsewhere: StoredRoutes
) -> None:
    await elsewhere.enter(A)
    await elsewhere.enter(B)
    switch = asyncio.create_task(routers.caught_up(2))
    for serves in (0, 1, 1):
        for one in (A, B):
            await elsewhere.beat(one, serves, quiet=False)
        await asyncio.sleep(0.1)
        assert not switch.done()
    await elsewhere.beat(A, 2, quiet=False)
    await asyncio.sleep(0.1)
    assert not switch.done()
    said = time.monotonic()
    await elsewhere.beat(B, 3, quiet=False)
    await asyncio.wait_for(switch, PATIENCE)
    assert time.monotonic() - said < 0.4  # it heard the bell


async def test_a_router_that_stands_still_is_struck_off_and_learns_of_it(
    routers: Routers, elsewhere: StoredRoutes
) -> None:
    await elsewhere.enter(A)
    await elsewhere.enter(B)
    switch = asyncio.create_task(routers.caught_up(1))
    began = time.monotonic()
    while not switch.done():
        await elsewhere.beat(B, int(time.monotonic() - began > 1), quiet=False)
        await asyncio.sleep(0.2)
        assert time.monotonic() - began < PATIENCE
    await switch
    assert time.monotonic() - began > 2.5
    assert [one.id for one in await routers.all()] == [B]
    assert A not in await elsewhere.beat(A, 1, quiet=True)


async def test_a_router_that_lives_and_lags_is_waited_for(
    routers: Routers, elsewhere: StoredRoutes
) -> None:
    await elsewhere.enter(A)
    switch = asyncio.create_task(routers.caught_up(1))
    for _ in range(20):
        await elsewhere.beat(A, 0, quiet=True)
        await asyncio.sleep(0.2)
    assert not switch.done()
    await elsewhere.beat(A, 1, quiet=False)
    await asyncio.wait_for(switch, PATIENCE)


@pytest.mark.parametrize("change", ["close", "route"])
async def test_what_routers_must_know_raises_the_version(
    database: Database, routers: Routers, change: str
) -> None:
    store = Store(database)
    async with database.write() as connection:
        inside = Store(database, inside=connection)
        if change == "route":
            await inside.fleet.route(AppId("a1"), [])
        else:
            await inside.routing.close("blog.localhost")
    assert await store.routers.version() == 1
