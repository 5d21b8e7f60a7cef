"""Signing in: before anything else is done, with a password or a token."""

import base64
import binascii
from hashlib import sha256
from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import HTTPScope

from windlass.api.problems import Problem
from windlass.api.requests import Caller, address_of, front_of
from windlass.api.versions import check_version
from windlass.errors import Denied
from windlass.model.accounts import FULL, READ

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="windlass", Basic realm="windlass", charset="UTF-8"'}
OPEN = {"open": True}  # the option of a handler that needs no sign-in
HARMLESS = {"harmless": True}  # and of one that changes nothing, whatever the method
PLAIN = {"plain": True}  # and of one that is outside of the API's versions
LONGEST = 1024  # bytes of credentials
Connection = ASGIConnection[Any, Any, Any, Any]


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let in who may come in; it runs before the body is read."""
    if not handler.opt.get("plain"):
        check_version(connection.headers.get("accept", ""))
    if handler.opt.get("open"):
        return
    caller = await signed_in(connection)
    reads = handler.opt.get("harmless") or method_of(connection) in ("GET", "HEAD")
    if caller.scope == READ and not reads:
        raise Denied("this token may only read")
    cast(dict[str, Any], connection.scope)["auth"] = caller


def method_of(connection: Connection) -> str:
    """The request's method."""
    return cast(HTTPScope, connection.scope)["method"]


async def signed_in(connection: Connection) -> Caller:
    """Who asks; Problem 401 if nobody."""
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    found = None
    if value and len(value) <= LONGEST:
        if scheme.lower() == "bearer":
            found = await by_token(connection, value.strip())
        elif scheme.lower() == "basic":
            found = await by_password(connection, value.strip())
    if found is None:
        why = "this sign-in is not valid" if scheme else "sign in with a password or a token"
        raise Problem(401, why, headers=CHALLENGE)
    return found


async def by_token(connection: Connection, token: str) -> Caller | None:
    """Whose token it is; the index compares digests, which tell nothing of what they are of."""
    accounts = front_of(connection).broker.store.accounts
    known = await accounts.bearer(digest(token))
    return Caller(known.user, known.scope) if known else None


def digest(token: str) -> bytes:
    """What is kept of a token: with 256 random bits in it, it cannot be guessed back."""
    return sha256(token.encode(errors="replace")).digest()


async def by_password(connection: Connection, value: str) -> Caller | None:
    """Who has this login and password."""
    front = front_of(connection)
    try:
        login, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    address = address_of(connection, front.settings.trusted_proxies)
    user = await front.passwords.check(login, password, address) if colon else None
    return Caller(user, FULL) if user else None
