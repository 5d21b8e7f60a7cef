"""Pages of lists: by key, so that the last page costs what the first one costs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote, urlencode

from litestar import Response

from windlass.api.answers import json_answer
from windlass.api.requests import Asked
from windlass.api.wire import Json
from windlass.errors import Refused

USUAL, MOST = 50, 200
T = TypeVar("T")


def limit_of(request: Asked) -> int:
    """How many are wanted at once."""
    return whole(request, "limit", least=1, most=MOST) or USUAL


def whole(request: Asked, name: str, *, least: int, most: int) -> int | None:
    """A number of the query, or None; Refused if it is none or out of bounds."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most):
        raise Refused(f"{name} is a number from {least} to {most}", field=name)
    return int(text)


def moment(request: Asked, name: str) -> float | None:
    """A time of the query in seconds since 1970; one without a zone is in UTC."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        # A "+" of a zone that was not quoted has become a blank.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Refused(f"{name} is a time as in 2026-01-31T12:00:00Z", field=name) from None


def page(request: Asked, items: Sequence[Json], after: Mapping[str, str] | None) -> Response[bytes]:
    """A page; `after` is the query's change that leads to the next one, if there is one."""
    if after is None:
        return json_answer({"items": items, "next": None})
    # The last of each name: a client that repeats a parameter means one of them.
    query = {**dict(request.query_params.items()), **after}
    path = quote(request.scope["path"].rstrip("/"))
    url = f"{request.front.urls.host}{path}?{urlencode(query)}"
    return json_answer({"items": items, "next": url}, headers={"Link": f'<{url}>; rel="next"'})


def short_page(request: Asked, items: Sequence[Json]) -> Response[bytes]:
    """A page of a list that is short by nature, `after` counting those before it."""
    start = whole(request, "after", least=0, most=1_000_000) or 0
    end = start + limit_of(request)
    after = {"after": str(end)} if end < len(items) else None
    return page(request, items[start:end], after)


def cut(found: list[T], limit: int) -> tuple[list[T], T | None]:
    """What was found with one more than wanted: the page, and its last if there is a next one."""
    return found[:limit], found[limit - 1] if len(found) > limit else None
