"""The operator's own way to accounts: straight to the datastore, with no API in between."""

import asyncio

from argon2 import PasswordHasher

from windlass.app import open_broker
from windlass.model.accounts import User, check_password
from windlass.model.ids import UserId, new_id
from windlass.settings import Settings

MOST_DOMAINS, MOST_GEARS = 100, 100  # what an admin may have; gears are what fills a machine


async def make_admin(settings: Settings, login: str, password: str) -> None:
    """Make an admin, unless there is a user of that name."""
    broker = await open_broker(settings)
    try:
        if await broker.store.accounts.find(login) is None:
            digest = await asyncio.to_thread(PasswordHasher().hash, check_password(password))
            admin = User(UserId(new_id("u")), login, True, MOST_DOMAINS, MOST_GEARS)
            await broker.store.accounts.add(admin, digest)
    finally:
        await broker.close()
