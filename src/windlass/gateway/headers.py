"""What is passed on of a message's headers, and what belongs to one connection only."""

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


def for_upstream(request: web.BaseRequest, host: str) -> CIMultiDict[str]:
    """The headers of a request as an instance gets them."""
    named = _named_by_connection(request.headers)
    headers = CIMultiDict[str]({hdrs.HOST: host})
    for name, value in request.headers.items():
        # WSGI and CGI cannot tell X_Forwarded_For from X-Forwarded-For, so neither do we.
        plain = name.lower().replace("_", "-")
        if plain not in DROPPED and plain not in named and not plain.startswith("x-forwarded-"):
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
        plain = name.lower()
        if plain not in HOP_BY_HOP and plain not in named:
            headers.add(name, value)
    # Without this aiohttp would introduce itself in the application's name.
    headers.setdefault(hdrs.SERVER, "windlass")
    return headers


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
        return frozenset()
    names = ",".join(headers.getall(hdrs.CONNECTION)).lower().split(",")
    # Whoever names the length wants body and headers to be read differently by the two of us.
    return frozenset(name.strip() for name in names) - {"content-length"}
