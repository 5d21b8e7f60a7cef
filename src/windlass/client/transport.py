"""One request to the server, asked again where asking twice can do no harm."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from windlass.client.errors import Away, Problem

Json = dict[str, Any]

ROOT = "/broker/rest"
ACCEPT = "application/json; version=2.0"
PAUSES = (0.2, 0.5, 1.0)  # seconds before the second, third and last try
LONGEST_PAUSE = 5.0  # seconds, whatever Retry-After says
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
CHUNK = 256 * 1024


class Transport:
    """A connection to one server, signed in with a token or a password."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        login: str | None = None,
        password: str | None = None,
    ) -> None:
        self.url = url.rstrip("/").removesuffix(ROOT)
        headers = {"Accept": ACCEPT}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            auth=httpx.BasicAuth(login, password or "") if login else None,
            timeout=TIMEOUT,
            # A job is answered by a redirect that must not be followed with the same method.
            follow_redirects=False,
            # Reading all certificates takes longer than a whole request: not where none is used.
            verify=self.url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # A proxy of the environment cannot reach our own machine.
            trust_env=not loopback(self.url),
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Json | None = None,
        params: Json | None = None,
        file: Path | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Ask, and again after a lost connection or a 503 where that is harmless."""
        headers = dict(headers or {})
        if file is not None:
            headers |= {
                "Content-Type": "application/octet-stream",
                "Content-Length": str(file.stat().st_size),
            }
        repeatable = method != "POST" or "Idempotency-Key" in headers
        for pause in (*PAUSES, None):
            content = _chunks(file) if file is not None else None
            request = self._http.build_request(
                method, path, json=json, params=params, content=content, headers=headers
            )
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                if pause is None or not (repeatable or _never_sent(error)):
                    raise self.away(error) from error
            else:
                if response.status_code != 503 or pause is None:
                    return self._checked(response)
                pause = min(retry_after(response, pause), LONGEST_PAUSE)
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def stream(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Open a long answer, once; httpx's own errors pass, for the caller to try again."""
        # Three of the server's comments may be lost before we take the connection for dead.
        timeout = httpx.Timeout(10.0, read=45.0)
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if response.is_error:
                response.read()
                raise Problem.of(response)
            yield response

    def away(self, error: Exception) -> Away:
        """The same failure in a person's words."""
        why = str(error) or type(error).__name__
        return Away(f"{self.url} does not answer: {why.partition('] ')[2] or why}")

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.status_code == 404 and "json" not in response.headers.get("Content-Type", ""):
            raise Away(f"{self.url} answers, but not as windlass does")
        if response.is_error:
            raise Problem.of(response)
        return response


def path(*parts: str | int) -> str:
    """A path below the API's root; no name can lead out of its place in it."""
    for part in parts:
        # httpx would fold these away: to delete the application ".." would delete its domain.
        if str(part) in ("", ".", ".."):
            raise Problem(404, "Not Found", f'"{part}" cannot be a name')
    return "/".join((ROOT, *(quote(str(part), safe="") for part in parts)))


def loopback(url: str) -> bool:
    """Is the server on this machine?"""
    host = httpx.URL(url).host
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def retry_after(response: httpx.Response, default: float) -> float:
    """The seconds that the server asks us to wait; its dates we do not read."""
    try:
        return max(0.0, float(response.headers.get("Retry-After", default)))
    except ValueError:
        return default


def _never_sent(error: httpx.TransportError) -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while chunk := source.read(CHUNK):
            yield chunk
