"""A house for each kind of datastore, and a whole installation."""

import getpass
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from system.house import House, house_in, settings_for
from system.installation import Installation
from windlass.catalog import SHIPPED


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(settings_for(tmp_path, database_url)) as house:
        yield house


@pytest.fixture(scope="session")
def slow_cartridges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cartridges beside the shipped one: `slow` takes seconds to install, `hopeless` never does."""
    folder = tmp_path_factory.mktemp("cartridges")
    for name, install in (("slow", "sleep 4"), ("hopeless", "echo 'no such thing' >&2; exit 3")):
        shutil.copytree(SHIPPED / "python", folder / name)
        manifest = folder / name / "manifest.toml"
        manifest.write_text(manifest.read_text().replace('"python"', f'"{name}"', 1))
        (folder / name / "bin/install").write_text(f"#!/bin/sh\n{install}\n")
    for path in (folder, *folder.parents):
        if path.owner() == getpass.getuser() and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    return folder


@pytest.fixture(scope="session")
def installed(slow_cartridges: Path) -> Iterator[Installation]:
    """A whole installation on real gears, for all the tests of a session."""
    settings = {"WINDLASS_CARTRIDGES": str(slow_cartridges)}
    with Installation(settings=settings) as installation:
        yield installation
