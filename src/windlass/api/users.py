"""Verbs on one's own account and tokens."""

import re
import secrets

from litestar import Response, delete, get, post

from windlass.api import wire
from windlass.api.answers import json_answer, nothing
from windlass.api.auth import digest
from windlass.api.bodies import Body, body_of
from windlass.api.paging import short_page
from windlass.api.requests import Asked
from windlass.errors import NotFound, Refused
from windlass.model.accounts import FULL, READ

DAY = 86_400
USUAL, LONGEST = 90 * DAY, 366 * DAY  # seconds that a token lives
LONGEST_NOTE = 200
TOKEN_ID = re.compile(r"[a-z0-9]{1,32}")


class NewToken(Body, frozen=True):
    """What a token is to be."""

    note: str = ""
    scope: str = FULL
    expires_in: int | None = None


@get("/user")
async def show_user(request: Asked) -> Response[bytes]:
    """Who is signed in, with limits and what is used of them."""
    user = request.caller.user
    quotas = request.front.broker.store.quotas
    return json_answer(wire.user(user, await quotas.used(user.id)))


@get("/user/tokens")
async def list_tokens(request: Asked) -> Response[bytes]:
    """One's tokens, without what they say."""
    accounts = request.front.broker.store.accounts
    found = await accounts.tokens(request.caller.user.id)
    return short_page(request, [wire.token(one) for one in found])


@post("/user/tokens", opt={"body": NewToken})
async def create_token(request: Asked) -> Response[bytes]:
    """A new token; this once one can read it."""
    wish = checked(await body_of(request, NewToken))
    secret = secrets.token_urlsafe(32)
    accounts = request.front.broker.store.accounts
    seconds = float(USUAL if wish.expires_in is None else wish.expires_in)
    made = await accounts.add_token(
        request.caller.user.id, digest(secret), wish.note, wish.scope, seconds
    )
    return json_answer({**wire.token(made), "token": secret}, 201)


@delete("/user/tokens/{token:str}", status_code=204)
async def revoke_token(request: Asked) -> Response[None]:
    """A token is worthless from now on."""
    id = request.names("token")
    accounts = request.front.broker.store.accounts
    if not TOKEN_ID.fullmatch(id) or not await accounts.revoke(request.caller.user.id, id):
        raise NotFound("you have no such token")
    return nothing()


def checked(wish: NewToken) -> NewToken:
    """The wish, or Refused with what is wrong with it."""
    if len(wish.note) > LONGEST_NOTE or not (wish.note.isprintable()):
        raise Refused(f"a note is a line of up to {LONGEST_NOTE} characters", field="note")
    if wish.scope not in (FULL, READ):
        raise Refused(f"a scope is {FULL} or {READ}", field="scope")
    if wish.expires_in is not None and not 1 <= wish.expires_in <= LONGEST:
        raise Refused(f"a token lives for 1 to {LONGEST} seconds", field="expires_in")
    return wish
