"""Errors as problem documents (RFC 9457), whoever raised them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from windlass.api.requests import front_of, request_id
from windlass.errors import (
    Conflict,
    Denied,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Transient,
    WindlassError,
)

log = structlog.get_logger()
COME_AGAIN = {"Retry-After": "1"}
STATUSES: tuple[tuple[type[WindlassError], int], ...] = (
    (NotFound, 404),
    (TooMany, 429),
    (TooLarge, 413),
    (Denied, 403),
    (Conflict, 409),
    (Refused, 422),
    (Transient, 503),
)
WORDS = {
    404: "there is nothing here",
    405: "this method is not for this resource",
    413: "the body is larger than is accepted here",
}
Any_ = Request[Any, Any, Any]


class Problem(Refused):
    """A refusal that only HTTP knows, with its status and headers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        field: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, field=field)
        self.status = status
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def on_refusal(request: Any_, error: WindlassError) -> Response[bytes]:
    """What we ourselves say no to."""
    if isinstance(error, Problem):
        return answer(request, error.status, told(request, error), error.headers)
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), None)
    if status is None:
        return on_surprise(request, error)
    again = COME_AGAIN if status in (429, 503) else {}
    return answer(request, status, told(request, error), again)


def told(request: Any_, error: WindlassError) -> dict[str, Any]:
    """What an error tells beside its status."""
    found: dict[str, Any] = {"detail": str(error)}
    if not isinstance(error, Refused):
        return found
    if error.code is not None:
        found["exit_code"] = error.code
    if error.field is not None:
        found["field"] = error.field
    if error.job is not None:
        found["job"] = front_of(request).urls.job(error.job)
    return found | (error.more if isinstance(error, Problem) else {})


def on_http(request: Any_, error: HTTPException) -> Response[bytes]:
    """What the framework says no to."""
    status = error.status_code
    text = WORDS.get(status) or (error.detail if status < 500 else "something went wrong here")
    return answer(request, status, {"detail": text}, error.headers or {})


def on_surprise(request: Any_, error: Exception) -> Response[bytes]:
    """What nobody thought of: the log has it all, the client the number to ask with."""
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=error)
    number = request_id(request.scope)
    text = f"something went wrong here; the operator finds it in the log as {number}"
    return answer(request, 500, {"detail": text}, {})


def answer(
    request: Any_, status: int, fields: Mapping[str, Any], headers: Mapping[str, str]
) -> Response[bytes]:
    """The document."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        **fields,
        "request_id": request_id(request.scope),
    }
    return Response(
        msgspec.json.encode(document),
        status_code=status,
        media_type="application/problem+json",
        headers={**headers, "Cache-Control": "no-store"},
    )
