"""XML-RPC over a Unix socket, with a deadline."""

import http.client
import socket
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy, Transport

DEADLINE = 30.0  # seconds
AWAY = (OSError, http.client.HTTPException)  # nobody listens, or they went away
NOBODY = (ConnectionRefusedError, FileNotFoundError)  # listens: nothing was asked of anybody


class UnixConnection(http.client.HTTPConnection):
    """HTTP to whoever listens at a path."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        try:
            self.sock.connect(str(self.path))
        except OSError:
            self.sock.close()
            raise


class UnixTransport(Transport):
    """XML-RPC by way of such a connection."""

    _connection: tuple[Any, Any]  # Transport's own: what is closed with it

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> UnixConnection:
        """One that is kept for the next call."""
        if not isinstance(kept := self._connection[1], UnixConnection):
            kept = UnixConnection(self.path)
            self._connection = host, kept
        return kept


def server(path: Path) -> ServerProxy:
    """The one who listens there; not to be shared by threads."""
    return ServerProxy("http://localhost", transport=UnixTransport(path))
