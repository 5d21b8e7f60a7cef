"""A broker, its API on a free port, users, and what tests do with them."""

import asyncio
import io
import json
import socket
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from secrets import token_urlsafe
from typing import Any, NamedTuple

import httpx
import uvicorn
from argon2 import PasswordHasher

from system.house import House, working
from windlass.api.app import build
from windlass.api.auth import digest
from windlass.app import LOCAL
from windlass.model.accounts import User
from windlass.model.ids import UserId, user_id

ROOT = "/broker/rest"
PASSWORD = "correct horse"
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # it is not what we test
PATIENCE = 60.0
Json = dict[str, Any]


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


class Site:
    """The API as its users meet it."""

    def __init__(self, house: House, app: Any, stack: AsyncExitStack) -> None:
        self.house, self.app, self.stack = house, app, stack
        self.front = app.state.front
        self.front.passwords.hasher = HASHER
        self.url = house.settings.url
        self.users: dict[str, User] = {}
        self.anna: httpx.AsyncClient
        self.bob: httpx.AsyncClient
        self.root: httpx.AsyncClient
        self.nobody = self.client()

    async def furnish(self) -> None:
        accounts = self.house.broker.store.accounts
        await accounts.set_password(self.house.user.id, HASHER.hash(PASSWORD))
        self.users["anna"] = self.house.user
        for login, admin in (("bob", False), ("root", True)):
            self.users[login] = User(user_id(), login, admin, 2, 2)
            await accounts.add(self.users[login], HASHER.hash(PASSWORD))
        for login, user in self.users.items():
            setattr(self, login, self.client(await self.token(user.id)))

    async def token(self, user: UserId, scope: str = "full", seconds: float = 3600) -> str:
        secret = token_urlsafe()
        accounts = self.house.broker.store.accounts
        await accounts.add_token(user, digest(secret), "", scope, seconds)
        return secret

    def client(self, token: str | None = None, **more: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.AsyncClient(
            base_url=self.url + ROOT, headers=headers, timeout=PATIENCE, trust_env=False, **more
        )
        self.stack.push_async_callback(client.aclose)
        return client

    # -- what tests ask for ----------------------------------------------------------------

    async def create(self, name: str = "blog", **headers: str) -> httpx.Response:
        body = {"name": name, "cartridge": "python"}
        return await self.anna.post("/domains/demo/applications", json=body, headers=headers)

    async def created(self, name: str = "blog") -> Json:
        """A new application's job; nobody works on it yet."""
        response = await self.create(name, Prefer="respond-async")
        assert response.status_code == 202, response.text
        job: Json = response.json()
        return job

    async def made(self, name: str = "blog") -> Json:
        """A new application that is up; a worker must be there."""
        response = await self.create(name, Prefer="wait=60")
        job: Json = response.json()
        assert job["phase"] == "complete", job
        return job

    async def job(self, id: int) -> Json:
        found: Json = (await self.anna.get(f"/jobs/{id}")).json()
        return found

    async def ended(self, id: int) -> Json:
        while True:
            response = await self.root.get(f"/jobs/{id}", params={"wait": 60})
            job: Json = response.json()
            if job["ended_at"] is not None:
                return job

    async def count_jobs(self) -> int:
        return len((await self.root.get("/jobs", params={"limit": 200})).json()["items"])

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with working(self.house):
            yield

    def gate(self, call: str = "build") -> "Gate":
        return Gate(self.house.broker.nodes[LOCAL], call)

    @asynccontextmanager
    async def watching(self, id: int, last: str | None = None) -> AsyncIterator["Watch"]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        async with self.anna.stream("GET", f"/jobs/{id}", headers=headers) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            yield Watch(response)


class Gate:
    """Holds the node up in one call until it is opened."""

    def __init__(self, node: Any, call: str) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        original = getattr(node, call)

        async def held(*args: Any) -> Any:
            self.reached.set()
            await self.opened.wait()
            return await original(*args)

        setattr(node, call, held)

    async def wait(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.reached.wait()

    def open(self) -> None:
        self.opened.set()


class Told(NamedTuple):
    event: str
    id: str
    data: Any


class Watch:
    """A stream, message by message."""

    def __init__(self, response: httpx.Response) -> None:
        self.lines = response.aiter_lines()
        self.comments = 0

    async def next(self) -> Told | None:
        async with asyncio.timeout(PATIENCE):
            fields: dict[str, str] = {}
            async for line in self.lines:
                name, _, value = line.partition(":")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    fields[name] = value.removeprefix(" ")
                elif fields:
                    return Told(fields["event"], fields["id"], json.loads(fields["data"]))
            return None

    async def rest(self) -> list[Told]:
        found = []
        while (told := await self.next()) is not None:
            found.append(told)
        return found


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[Site]:
    """The house's API on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        house.settings = replace(house.settings, listen=f"127.0.0.1:{port}")
        app = build(house.broker, house.settings)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
            proxy_headers=False,
        )
        server = Server(config)
        task = asyncio.ensure_future(server.serve(sockets=[listener]))
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                assert not task.done(), "it did not start"
                await asyncio.sleep(0.005)
        async with AsyncExitStack() as stack:
            site = Site(house, app, stack)
            await site.furnish()
            yield site
        server.should_exit = True
        await task


def archive(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A tar archive in memory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return buffer.getvalue()


def assert_problem(response: httpx.Response, status: int, field: str | None = None) -> Json:
    """A problem document with all that belongs into it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    document: Json = response.json()
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response.headers["x-request-id"]
    assert document.get("field") == field
    assert "Traceback" not in response.text
    return document
