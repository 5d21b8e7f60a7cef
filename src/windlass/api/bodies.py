"""JSON bodies: strict, bounded, refused with a sentence."""

import re
from typing import TypeVar

import msgspec

from windlass.api.problems import Problem
from windlass.api.requests import Asked
from windlass.errors import Refused

MOST = 1 << 20  # bytes of a JSON body
T = TypeVar("T", bound="Body")
FIELD = re.compile(r"field `([^`]*)`|at `\$\.?([^`]*)`")


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a request says."""


async def body_of(request: Asked, kind: type[T]) -> T:
    """The body as `kind`: 415 for another type, 400 for what is no JSON, 422 for what is amiss."""
    media = media_type(request)
    if media and media != "application/json" and not media.endswith("+json"):
        raise Problem(415, f"the body is to be application/json, not {media[:100]}")
    raw = await request.body()
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise Refused(sentence(str(error)), field=field_of(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from None


def media_type(request: Asked) -> str:
    """The body's type without parameters; empty if the request does not say."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def sentence(text: str) -> str:
    """What msgspec says, as we would."""
    return "the body cannot be taken: " + text[:1].lower() + text[1:300]


def field_of(text: str) -> str | None:
    """The field that msgspec complains about."""
    found = FIELD.search(text)
    name = found and (found[1] or found[2])
    return name[:64] if name else None
