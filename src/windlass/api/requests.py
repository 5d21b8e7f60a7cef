"""A request as our handlers see it: who asks, from where, under which number."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, cast

import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.types import Message, Scope

from windlass.engine.job import Asker
from windlass.errors import NotFound
from windlass.model.accounts import User

if TYPE_CHECKING:
    from windlass.api.front import Front

SAFE = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADER = b"x-request-id"


@dataclass(frozen=True)
class Caller:
    """Who is signed in, and how far."""

    user: User
    scope: str

    def may_see(self, owner: str) -> bool:
        """Owners see what is theirs, operators everything."""
        return self.user.admin or self.user.id == owner


class Asked(Request[Any, Any, Any]):
    """A request of somebody who has signed in."""

    @property
    def front(self) -> "Front":
        """What every handler works with."""
        return front_of(self)

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return cast(Caller, self.scope["auth"])

    @property
    def asker(self) -> Asker:
        """Who asks, as a job remembers it."""
        return Asker(self.caller.user.login, self.address, request_id(self.scope))

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return address_of(self, self.front.settings.trusted_proxies)

    def names(self, name: str) -> str:
        """A part of the path."""
        return str(self.path_params[name])

    def number(self, name: str) -> int:
        """A part of the path that is a number; there is nothing under anything else."""
        text = self.names(name)
        if not (text.isascii() and text.isdigit() and len(text) < 18):
            raise NotFound(f"there is no job {text[:64]}")
        return int(text)


def front_of(connection: ASGIConnection[Any, Any, Any, Any]) -> "Front":
    """What every handler works with."""
    return cast("Front", connection.app.state.front)


# -- the number of a request ---------------------------------------------------------------


def request_id(scope: Scope) -> str:
    """The client's number for this request if it is a plain one, or ours; also in the log."""
    state = scope["state"]
    if "request_id" not in state:
        sent = next((value for name, value in scope["headers"] if name == HEADER), b"")
        text = sent.decode("latin-1")
        state["request_id"] = text if SAFE.fullmatch(text) else secrets.token_hex(8)
        structlog.contextvars.bind_contextvars(request=state["request_id"])
    return cast(str, state["request_id"])


async def number_answer(message: Message, scope: Scope) -> None:
    """Every answer carries its request's number."""
    if message["type"] == "http.response.start":
        number = request_id(scope).encode()
        message["headers"] = [*message.get("headers", ()), (HEADER, number)]


# -- where it comes from -------------------------------------------------------------------


def address_of(connection: ASGIConnection[Any, Any, Any, Any], trusted: Sequence[str]) -> str:
    """The client's address: the last one that no proxy of ours has written."""
    here = connection.client.host if connection.client else ""
    if not is_trusted(here, trusted):
        return here
    told = ",".join(connection.headers.getall("x-forwarded-for", []))
    for address in reversed([one.strip() for one in told.split(",") if one.strip()]):
        if not is_address(address):
            break
        here = address
        if not is_trusted(address, trusted):
            break
    return here


def is_trusted(address: str, trusted: Sequence[str]) -> bool:
    """Whether it is a proxy of ours: an address, a network, or * for all."""
    return any(
        one in ("*", address) or (is_address(address) and is_within(address, one))
        for one in trusted
    )


def is_within(address: str, network: str) -> bool:
    """Whether an address belongs to a network."""
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False


def is_address(text: str) -> bool:
    """Whether it is an IP address and nothing else."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
