"""The schema's version: what a datastore has, what we need, and the way there."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from windlass.errors import Refused
from windlass.store.database import first_line, translated

MIGRATIONS = Path(__file__).parent / "migrations"
# SQLSTATE's classes for a database that there is not, and for a user who is not let in.
NOT_OURS = ("3D", "28")
ALONE = 7_283_645  # the advisory lock under which one process migrates


class State(StrEnum):
    """How a datastore's schema compares with the one we need."""

    EMPTY = "empty"
    CURRENT = "current"
    OLD = "old"
    NEWER = "newer"


async def state(url: str) -> State:
    """What is there. Raises Transient where the datastore is away."""
    if is_sqlite(url) and not sqlite_file(url).exists():
        return State.EMPTY
    with translated():
        if is_sqlite(url):
            engine = create_engine(url, poolclass=NullPool)
            with engine.connect() as connection:
                return compare(connection)
        async with server(url) as remote:
            return await remote.run_sync(compare)


async def upgrade(url: str) -> None:
    """Bring the schema up to what we need; an old SQLite file is copied first."""
    with translated():
        if is_sqlite(url):
            prepare_file(sqlite_file(url), await state(url))
            engine = create_engine(url, poolclass=NullPool)
            with engine.connect() as connection:
                migrate(connection)
                connection.commit()
            return
        async with server(url) as remote:
            await remote.execute(text(f"SELECT pg_advisory_lock({ALONE})"))
            await remote.run_sync(migrate)
            await remote.commit()


def compare(connection: Connection) -> State:
    """The revision that is there against those that we know."""
    script = ScriptDirectory(str(MIGRATIONS))
    there = MigrationContext.configure(connection).get_current_revision()
    if there is None:
        return State.EMPTY
    if there == script.get_current_head():
        return State.CURRENT
    known = {revision.revision for revision in script.walk_revisions()}
    return State.OLD if there in known else State.NEWER


def migrate(connection: Connection) -> None:
    """Run what is missing, in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def prepare_file(path: Path, found: State) -> None:
    """Readers and a writer side by side, and a copy of what is about to be changed."""
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    path.chmod(0o600)
    if found is State.OLD:
        shutil.copy2(path, path.with_suffix(".before-migration"))


@asynccontextmanager
async def server(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection to a server, for a moment."""
    engine = create_async_engine("postgresql+asyncpg" + url[url.index("://") :], poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")).startswith(NOT_OURS):
            raise Refused(f"the database server refuses us: {first_line(error.orig)}") from error
        raise
    finally:
        await engine.dispose()


def is_sqlite(url: str) -> bool:
    """Whether the URL is a file's."""
    return url.startswith("sqlite:")


def sqlite_file(url: str) -> Path:
    """The file of a SQLite URL."""
    return Path(url.removeprefix("sqlite:///"))
