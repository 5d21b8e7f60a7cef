"""Real servers and datastores for the suite, started on free loopback ports."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from engine.shop import Workshop
from peer.scripted import Peer, start_peer, stop_peer
from windlass.store.database import Database
from windlass.store.schema import upgrade


def free_port() -> int:
    """A loopback port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class PostgresServer:
    """PostgreSQL of Debian's package, run by another uid where we are root."""

    def __init__(self) -> None:
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.folder = Path(tempfile.mkdtemp(prefix="wpg"))
        self.port = free_port()
        self.options = ""  # more of them, for its command line
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")

    def run(self, *argv: str) -> None:
        user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        done = subprocess.run(argv, cwd="/", capture_output=True, text=True, **user)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        data = str(self.folder / "data")
        if not (self.folder / "data").exists():
            self.run(
                f"{self.bin}/initdb",
                "-D",
                data,
                "-U",
                self.user,
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
            )
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 {self.options}"
        log = str(self.folder / "log")
        self.run(
            f"{self.bin}/pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "120", "start"
        )

    def stop(self) -> None:
        """As a crash does it: what is not on the disk is lost."""
        data = str(self.folder / "data")
        self.run(f"{self.bin}/pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"


def served(options: str = "") -> Iterator[PostgresServer]:
    """A server, until nobody needs it any more."""
    server = PostgresServer()
    server.options = options
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole session."""
    yield from served("-c fsync=off")


async def fresh_database(server: PostgresServer, like: str = "") -> str:
    """A new database on the server; a copy of another, if that is named by its URL."""
    name = f"w{os.getpid()}_{time.monotonic_ns()}"
    engine = create_async_engine(
        server.url("postgres").replace("postgresql:", "postgresql+asyncpg:"),
        isolation_level="AUTOCOMMIT",
    )
    async with engine.connect() as connection:
        template = f" TEMPLATE {like.rpartition('/')[2]}" if like else ""
        await connection.execute(text(f"CREATE DATABASE {name}{template}"))
    await engine.dispose()
    return server.url(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty datastore to copy: migrating takes longer than many a test."""
    path = tmp_path_factory.mktemp("template") / "windlass.db"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """The same, by its URL."""
    url = asyncio.run(fresh_database(postgres))
    asyncio.run(upgrade(url))
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated, empty datastore of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "windlass.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    server, template = map(request.getfixturevalue, ("postgres", "postgres_template"))
    return asyncio.run(fresh_database(server, template))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open datastore of each kind."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
def workshop(database: Database) -> Workshop:
    """An engine on each kind of datastore, in a small world of its own."""
    return Workshop(database)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client asks again at once, where it would wait for seconds."""
    monkeypatch.setattr("windlass.client.transport.PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture
def peer(short_pauses: None) -> Iterator[Peer]:
    """An API that says what the test tells it to."""
    server = start_peer()
    yield server.peer
    stop_peer(server)


async def until(condition, patience: float = 60.0):  # type: ignore[no-untyped-def]
    """Wait for a condition (awaitable or not); fail after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.01)
