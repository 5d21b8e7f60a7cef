"""What a caller may catch: the server said no, or there was no server."""

from typing import Any

import httpx


class ClientError(Exception):
    """Anything that this client raises."""


class Away(ClientError):
    """The server cannot be reached, or something else answers in its place."""


class Problem(ClientError):
    """The server said no; the fields are those of its problem document."""

    def __init__(self, status: int, title: str, detail: str = "", **more: Any) -> None:
        super().__init__(detail or title)
        self.status = status
        self.title = title
        self.detail = detail or title
        self.exit_code: int | None = more.get("exit_code")
        self.field: str | None = more.get("field")
        self.job: str | None = more.get("job")
        self.request_id: str | None = more.get("request_id")

    @classmethod
    def of(cls, response: httpx.Response) -> "Problem":
        """Read it from an answer, which a proxy in between may have written."""
        title = response.reason_phrase or f"HTTP {response.status_code}"
        document = _document(response)
        known = {name: document.get(name) for name in ("exit_code", "field", "job", "request_id")}
        known["request_id"] = known["request_id"] or response.headers.get("X-Request-Id")
        return cls(
            response.status_code,
            str(document.get("title") or title),
            str(document.get("detail") or ""),
            **known,
        )


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
