import pytest

from windlass.client import Client


@pytest.fixture
def client(peer):
    with Client(peer.url, token="secret") as one:
        yield one
