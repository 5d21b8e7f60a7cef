"""The API over real sockets, on a real broker with a pretended node."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.site import Site, serving
from system.house import house_in, settings_for


@asynccontextmanager
async def site_on(url: str, folder: Path) -> AsyncIterator[Site]:
    async with house_in(settings_for(folder, url)) as house, serving(house) as site:
        yield site


@pytest.fixture
async def site(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Site]:
    """A broker with its API and three users: anna with a domain, bob, and root the operator."""
    file = shutil.copy(sqlite_template, tmp_path / "windlass.db")
    async with site_on(f"sqlite:///{file}", tmp_path) as site:
        yield site


@pytest.fixture
async def both(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """The same on each kind of datastore."""
    async with site_on(database_url, tmp_path) as site:
        yield site
