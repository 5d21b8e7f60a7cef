"""Plain answers."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response

JSON = "application/json"
FRESH = {"Cache-Control": "no-store"}


def json_answer(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """JSON that nobody keeps."""
    return raw_answer(msgspec.json.encode(content), status, {**FRESH, **(headers or {})})


def raw_answer(content: bytes, status: int, headers: Mapping[str, str]) -> Response[bytes]:
    """JSON that is encoded already."""
    return Response(content, status_code=status, media_type=JSON, headers=dict(headers))


def nothing() -> Response[None]:
    """Done, and there is nothing to say."""
    return Response(None, status_code=204)
