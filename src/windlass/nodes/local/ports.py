"""Ports: one for each instance, as long as it has a record; of the gear's own or of us all."""

import random
import socket
from collections.abc import Collection

from windlass.errors import Transient
from windlass.nodes.local.files import locked, read_json, write_json
from windlass.nodes.local.layout import Home, Layout

# Below what the kernel gives to outgoing connections, above what services listen at.
FIRST, LAST = 20_000, 31_999
HOST = "127.0.0.1"
FIRST_OWN = 8080  # in a network of its own a gear has all of them
TRIES = 1000


def own(home: Home) -> int:
    """The lowest port that no other instance of this gear has, in the gear's own network."""
    used = {record["port"] for path in home.instances.glob("*.json") if (record := read_json(path))}
    return next(port for port in range(FIRST_OWN, FIRST_OWN + len(used) + 1) if port not in used)


def take(layout: Layout, name: str) -> int:
    """The loopback port of this instance: the one that it has, or a free one."""
    with locked(layout.ports.with_suffix(".lock")):
        ports: dict[str, int] = read_json(layout.ports) or {}
        if name not in ports:
            ports[name] = free(set(ports.values()))
            write_json(layout.ports, ports)
        return ports[name]


def release(layout: Layout, prefix: str, but: Collection[str]) -> None:
    """The instances with names like this need their ports no more, but these do."""
    with locked(layout.ports.with_suffix(".lock")):
        ports: dict[str, int] = read_json(layout.ports) or {}
        gone = {name for name in ports if name.startswith(prefix)} - set(but)
        if gone:
            write_json(layout.ports, {name: ports[name] for name in ports.keys() - gone})


def free(used: set[int]) -> int:
    """A port that nobody has, at random: other nodes of this machine look for some too."""
    for _ in range(TRIES):
        port = random.randint(FIRST, LAST)
        if port not in used and can_bind(port):
            return port
    raise Transient("there is no free port left for an instance on this machine")


def can_bind(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
        return True
