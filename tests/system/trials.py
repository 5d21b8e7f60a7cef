"""Killing a worker at a write: forked from this warm process, stopped by a failpoint."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, text

from system.house import House, settings_for
from windlass.app import open_broker, worker_of
from windlass.engine.lease import JobId, WorkerId
from windlass.model.accounts import User
from windlass.store.database import Database
from windlass.store.journal import SqlJournal
from windlass.store.sqlite import Sqlite, SqliteConnection


@dataclass(frozen=True)
class Kill:
    """Die at the so many-th write, just before its commit or just after it."""

    at: int
    after: bool


class Failing(Sqlite):
    """A database file whose process is killed at a write; polls that change nothing pass."""

    def __init__(self, path: str, kill: Kill | None) -> None:
        super().__init__(path)
        self.kill = kill
        self.writes = 0

    @asynccontextmanager
    async def write(self, *, lasting: bool = True) -> AsyncIterator[SqliteConnection]:
        async with super().write(lasting=False) as connection:  # who is killed loses no page
            before = connection.driver.total_changes
            yield connection
            self.writes += connection.driver.total_changes > before
            self.die_if(after=False)
        self.die_if(after=True)

    def die_if(self, *, after: bool) -> None:
        if self.kill == Kill(self.writes, after):
            os.kill(os.getpid(), signal.SIGKILL)


COMPILED: dict[Any, Any] = {}  # statements, once for all trials
DIALECT = create_engine("sqlite://").dialect


def failing(url: str, kill: Kill | None) -> Database:
    database = Database(url)
    inner = database.inner = Failing(url.removeprefix("sqlite:///"), kill)
    event.listen(inner.engine, "connect", be_quick)
    inner.engine.dialect = DIALECT
    inner.engine = inner.engine.execution_options(compiled_cache=COMPILED)
    return database


def be_quick(connection: Any, _: object) -> None:
    """Processes die here, and nobody pulls the plug."""
    connection.execute("PRAGMA synchronous=OFF")


def url_of(folder: Path) -> str:
    """Where a house's datastore is: in its folder, unless it says otherwise."""
    elsewhere = folder / "url"
    return elsewhere.read_text() if elsewhere.exists() else f"sqlite:///{folder / 'windlass.db'}"


@asynccontextmanager
async def opened(folder: Path, user: User, kill: Kill | None = None) -> AsyncIterator[House]:
    """The house that stands in a folder."""
    settings = settings_for(folder, url := url_of(folder))
    database = failing(url, kill) if url.startswith("sqlite") else Database(url)
    broker = await open_broker(settings, database)
    house = House(broker, settings)
    house.user = user
    domain = await house.broker.store.domains.find("demo")
    if domain is not None:
        house.domain = domain
    try:
        yield house
    finally:
        await broker.close()


async def work(house: House, job: JobId) -> None:
    """A worker until the job has ended."""
    worker = worker_of(house.broker, house.settings)
    task = asyncio.ensure_future(worker.run())
    await house.ended(job)
    worker.stop()
    await task


async def work_in(folder: Path, user: User, job: JobId, kill: Kill | None) -> None:
    async with opened(folder, user, kill) as house:
        await work(house, job)


def run_and_kill(folder: Path, user: User, job: JobId, kill: Kill) -> bool:
    """Let a child work on a job until it is killed; false if it came to the end alive."""
    return forked(lambda: work_in(folder, user, job, kill))


def forked(working: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Run something in a child, quietly; true if it was killed."""
    return ended(os.waitpid(begun(working), 0)[1])


def begun(working: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """A child that does this, quietly."""
    child = os.fork()
    if child:
        return child
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        asyncio.run(working())
    except BaseException:
        os._exit(1)
    os._exit(0)


def ended(status: int) -> bool:
    """True if a child was killed, false if it came to its end."""
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.WIFSIGNALED(status)


async def declare_dead(journal: SqlJournal) -> None:
    """What another worker does after three seconds, at once."""
    async with journal.database.read() as connection:
        rows = await connection.execute(text("SELECT id FROM workers"))
        workers = [WorkerId(id) for id in rows.scalars()]
    for worker in workers:
        await journal.retire(worker)


def copied(folder: Path, to: Path) -> Path:
    """A house as it stands, to be ruined elsewhere."""
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(folder, to))
