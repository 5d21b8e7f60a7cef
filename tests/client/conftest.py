import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "peer"))

from scripted import start_peer, stop_peer

from windlass.client import Client


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("windlass.client.transport.PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture
def peer():
    server = start_peer()
    yield server.peer
    stop_peer(server)


@pytest.fixture
def client(peer):
    with Client(peer.url, token="secret") as one:
        yield one
