"""`windlassd migrate`: bring the datastore to the schema of this version."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from windlass.daemon.folders import make_data_folder
from windlass.daemon.options import STORE, takes
from windlass.daemon.say import say
from windlass.errors import Refused
from windlass.settings import Settings
from windlass.store import schema

SQLITE = "sqlite:///"


@takes(*STORE)
def migrate(settings: Settings) -> None:
    """Bring the datastore to the schema of this version (`up` does so by itself on SQLite)."""
    say(asyncio.run(migrated(settings)))


async def migrated(settings: Settings) -> str:
    """Migrate, and say what was done; a SQLite file is copied first."""
    await refuse_newer(settings)
    make_data_folder(settings.data)
    was = await schema.state(settings.database_url)
    if was == "current":
        return "The database is up to date."
    file = sqlite_file(settings.database_url)
    copy = copied(file) if file and was == "old" else None
    await schema.upgrade(settings.database_url)
    if was == "empty":
        return "Made the database."
    return "Brought the database up to date" + (f"; as it was: {copy}" if copy else ".")


async def refuse_newer(settings: Settings) -> None:
    """Raise Refused if a later windlass has changed the database; touches nothing."""
    file = sqlite_file(settings.database_url)
    if file and not file.exists():
        return
    if await schema.state(settings.database_url) == "newer":
        raise Refused("the database is of a newer windlass than this one; run that one, or newer")


async def refuse_unfit(settings: Settings) -> None:
    """Raise Refused unless the database has the schema of this version."""
    await refuse_newer(settings)
    file = sqlite_file(settings.database_url)
    missing = file is not None and not file.exists()
    if missing or await schema.state(settings.database_url) != "current":
        raise Refused("the database's schema is not of this version yet; run `windlassd migrate`")


def copied(file: Path) -> Path:
    """A copy of a SQLite database beside it, whole even while somebody writes."""
    copy = file.with_name(f"{file.name}.{datetime.now(UTC):%Y%m%dT%H%M%S}")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        copy.chmod(0o600)  # still empty
        source.backup(target)
    return copy


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database, None for another kind."""
    return Path(url.removeprefix(SQLITE).partition("?")[0]) if url.startswith(SQLITE) else None
