"""What is passed on of a message's headers, and what belongs to one connection only."""

from functools import lru_cache

from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Only the router knows where a request came from: what a client says of it is dropped. Host is set
# anew, and 100-continue is agreed upon with each side by itself.
OURS = frozenset({"host", "expect", "forwarded", "x-real-ip"})
DROPPED = HOP_BY_HOP | OURS
NOTHING = frozenset[str]()


def for_upstream(request: web.BaseRequest, host: str) -> CIMultiDict[str]:
    """The headers of a request as an instance gets them."""
    named = _named_by_connection(request.headers)
    headers = CIMultiDict[str]({hdrs.HOST: host})
    for name, value in request.headers.items():
        if _passes(name) and not (named and _plain(name) in named):
            headers.add(name, value)
    headers["X-Forwarded-For"] = request.remote or "unknown"
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = host
    if wants_websocket(request):
        headers[hdrs.CONNECTION] = "Upgrade"
        headers[hdrs.UPGRADE] = "websocket"
    return headers


def for_client(received: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers of an instance's response as the client gets them."""
    named = _named_by_connection(received)
    headers = CIMultiDict[str]()
    for name, value in received.items():
        if _returns(name) and not (named and name.lower() in named):
            headers.add(name, value)
    # Without this aiohttp would introduce itself in the application's name.
    headers.setdefault(hdrs.SERVER, "windlass")
    return headers


@lru_cache(maxsize=1024)
def _passes(name: str) -> bool:
    """Whether an instance may get this header: the same few names come in every request."""
    plain = _plain(name)
    return plain not in DROPPED and not plain.startswith("x-forwarded-")


@lru_cache(maxsize=1024)
def _returns(name: str) -> bool:
    return name.lower() not in HOP_BY_HOP


def _plain(name: str) -> str:
    # WSGI and CGI cannot tell X_Forwarded_For from X-Forwarded-For, so neither do we.
    return name.lower().replace("_", "-")


def wants_websocket(request: web.BaseRequest) -> bool:
    """Whether the client asks for a WebSocket; no other upgrade is passed on."""
    headers = request.headers
    return (
        hdrs.UPGRADE in headers
        and headers[hdrs.UPGRADE].strip().lower() == "websocket"
        and "upgrade" in _named_by_connection(headers)
        and request.method == hdrs.METH_GET
    )


def _named_by_connection(headers: CIMultiDictProxy[str]) -> frozenset[str]:
    """The further headers that the sender meant for this connection only."""
    if hdrs.CONNECTION not in headers:
        return NOTHING
    names = ",".join(headers.getall(hdrs.CONNECTION)).lower().split(",")
    # Whoever names the length wants body and headers to be read differently by the two of us.
    return frozenset(name.strip() for name in names) - {"content-length"}
