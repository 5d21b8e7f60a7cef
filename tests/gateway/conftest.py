"""Routes in memory, instances on loopback ports, and a router between them and the test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web

from windlass.errors import Transient
from windlass.gateway.router import Router
from windlass.gateway.table import Table
from windlass.model.ids import RouterId
from windlass.model.routes import Route, Snapshot

PATIENT = 15  # seconds; nothing here takes that long unless it hangs

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class MemoryRoutes:
    """Routes in a list, of which the store can be told to be away."""

    def __init__(self) -> None:
        self.rows: list[Route] = []
        self.away = False
        self.reads = 0
        self.version = 1
        self.living: dict[str, int] = {}  # the version that each router serves
        self._news = asyncio.Event()
        self._beat = 0

    def answer(self, host: str, *addresses: str) -> None:
        """Let these addresses answer at the host, and tell the routers."""
        self.rows = [row for row in self.rows if row.host != host]
        self.rows.append(Route(host, host.partition(".")[0], addresses))
        self.tell()

    def tell(self) -> None:
        self.version += 1
        self._news.set()

    async def all(self, known: int | None) -> Snapshot | None:
        self.reads += 1
        self._check()
        return None if known == self.version else Snapshot(self.version, tuple(self.rows))

    async def enter(self, router: RouterId) -> None:
        self._check()
        self.living[router] = 0

    async def beat(self, router: RouterId, serves: int, *, quiet: bool) -> dict[RouterId, int]:
        self._check()
        if router in self.living:
            self.living[router] = serves
        return {RouterId(one): self._beats() for one in self.living}

    async def strike(self, router: RouterId) -> None:
        self._check()
        self.living.pop(router, None)

    def _beats(self) -> int:
        self._beat += 1
        return self._beat

    def _check(self) -> None:
        if self.away:
            raise Transient("the datastore is away")

    async def changed(self, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    async def close(self) -> None:
        pass


@dataclass
class Running:
    """A router that runs, and how to speak to it."""

    router: Router
    stop: asyncio.Event
    task: asyncio.Task[None]
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.router.port}"

    def ask(self, path: str = "/", method: str = "GET", **more):
        """A request to blog.localhost, unless another Host header is given."""
        headers = {"Host": "blog.localhost", **more.pop("headers", {})}
        return self.session.request(method, self.url + path, headers=headers, **more)

    async def say(self, *lines: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request's head as it stands, over a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.router.port)
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        return reader, writer

    @property
    def table(self) -> Table:
        return self.router._table

    async def knows(self, host: str | None) -> None:
        """Wait until the router knows this host, or with None until it knows any routes."""
        await wait_until(lambda: bool(self.table.find(host)) if host else self.table.known)

    async def end(self) -> None:
        self.stop.set()
        await self.task


@asynccontextmanager
async def instance(handler: Handler) -> AsyncIterator[str]:
    """An instance of an application; the address where it answers."""
    server = web.Server(handler, access_log=None, auto_decompress=False)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_instance(handler) -> AsyncIterator[str]:
    """An instance that speaks for itself: the handler gets each connection's two ends."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()


@asynccontextmanager
async def running_router(routes: MemoryRoutes, **more) -> AsyncIterator[Running]:
    """A router on a free port."""
    router, stop, ready = Router(routes, "127.0.0.1", 0, **more), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(router.run(stop, ready.set))
    try:
        async with (
            asyncio.timeout(PATIENT),
            aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
        ):
            await ready.wait()
            yield Running(router, stop, task, session)
    finally:
        task.cancel()
        await asyncio.wait({task})


async def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something to become true, for as long as it takes within reason."""
    async with asyncio.timeout(PATIENT):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def saying(text: str) -> Handler:
    """A handler that says one thing."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=text)

    return handler


@pytest.fixture
def says() -> Callable[[str], Handler]:
    return saying


@pytest.fixture
def until():
    return wait_until


@pytest.fixture
def running():
    """Run one more router, as a context."""
    return running_router


@pytest.fixture
def dead() -> Iterator[str]:
    """An address that is taken and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield "{}:{}".format(*taken.getsockname())


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def start(stack: AsyncExitStack) -> Callable[[Handler], Awaitable[str]]:
    """Start an instance; it lives as long as the test."""
    return lambda handler: stack.enter_async_context(instance(handler))


@pytest.fixture
async def start_raw(stack: AsyncExitStack):
    """Start an instance that speaks for itself; it lives as long as the test."""
    return lambda handler: stack.enter_async_context(raw_instance(handler))


@pytest.fixture
async def routes() -> MemoryRoutes:
    return MemoryRoutes()


@pytest.fixture
async def gateway(routes: MemoryRoutes) -> AsyncIterator[Running]:
    """A router that has read its (empty) table."""
    async with running_router(routes) as gateway:
        await gateway.knows(None)
        yield gateway


@pytest.fixture
async def serve(routes: MemoryRoutes, gateway: Running):
    """Let addresses answer at a host, and wait until the router knows."""

    async def serve(*addresses: str, host: str = "blog.localhost") -> None:
        routes.answer(host, *addresses)
        await wait_until(
            lambda: Route(host, host.partition(".")[0], addresses) == gateway.table.find(host)
        )

    return serve
