"""`windlassd migrate`: bring the datastore to the schema of this version."""

import asyncio

from windlass.app import check
from windlass.daemon.options import STORE, takes
from windlass.daemon.say import say
from windlass.daemon.standing import as_it_stands
from windlass.folders import make_data_folder
from windlass.settings import Settings
from windlass.store import schema
from windlass.store.schema import State


@takes(*STORE)
def migrate(settings: Settings) -> None:
    """Bring the datastore to the schema of this version (`up` does so by itself on SQLite)."""
    say(asyncio.run(migrated(as_it_stands(settings))))


async def migrated(settings: Settings) -> str:
    """Migrate, and say what was done."""
    url = settings.database_url
    await refuse_newer(settings)
    was = await schema.state(url)
    if was is State.CURRENT:
        return "The database is up to date."
    make_data_folder(settings.data)
    await schema.upgrade(url)
    if was is State.EMPTY:
        return "Made the database's tables."
    kept = "; a copy of it as it was lies beside it" if schema.is_sqlite(url) else ""
    return f"Brought the database up to date{kept}."


async def refuse_newer(settings: Settings) -> None:
    """Raise Refused if a later windlass has changed the database."""
    if (found := await schema.state(settings.database_url)) is State.NEWER:
        check(found)
