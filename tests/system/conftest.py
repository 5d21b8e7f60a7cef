"""A house for each kind of datastore."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from system.house import House, house_in, settings_for


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(settings_for(tmp_path, database_url)) as house:
        yield house
