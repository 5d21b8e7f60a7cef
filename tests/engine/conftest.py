"""A small world of its own for the engine."""

import pytest

from engine.shop import Workshop
from windlass.store.database import Database


@pytest.fixture
def workshop(database: Database) -> Workshop:
    """An engine on each kind of datastore."""
    return Workshop(database)
