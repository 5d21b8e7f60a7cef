"""A house of each kind, and its queue."""

import pytest

from queues.houses import KINDS, House, housed, on_a_slow_machine
from windlass.engine.queue import Queue

patient = pytest.fixture(autouse=True)(on_a_slow_machine)
house = pytest.fixture(params=KINDS)(housed)


@pytest.fixture
def queue(house: House) -> Queue:
    return house.queue()
