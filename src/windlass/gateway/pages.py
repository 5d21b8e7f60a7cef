"""The pages that the router shows where no instance answers."""

from html import escape

from aiohttp import hdrs, web

SOON = 5  # seconds until something that is under way may be asked for again
LATER = 30  # seconds until something that a person must do may be asked for again

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto 0;
         padding: 0 1.5rem; overflow-wrap: anywhere; }}
  h1 {{ font-size: 1.6rem; line-height: 1.25; }}
  small {{ opacity: .65; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<small>{status} · windlass</small>
</main>
</body>
</html>
"""


def not_understood(request: web.BaseRequest) -> web.Response:
    """400: the request does not say, in one Host header, for whom it is."""
    text = "Applications are told apart by their names. Please send exactly one Host header."
    response = _page(request, 400, "For whom is this?", text)
    response.force_close()
    return response


def unknown(request: web.BaseRequest, host: str) -> web.Response:
    """404: no application has this host name."""
    text = f"No application answers at {host}. Please check the address for a mistyped name."
    return _page(request, 404, "There is nothing here", text)


def stopped(request: web.BaseRequest, application: str) -> web.Response:
    """503: the application exists and does not run, or does not yet."""
    text = (
        f"The application {application} is here, but it does not run now. If it is new, try again "
        "shortly; otherwise its owner can start it."
    )
    return _page(request, 503, f"{application} does not run", text, retry_after=LATER)


def not_ready(request: web.BaseRequest) -> web.Response:
    """503: the router has just begun and has not yet read who is where."""
    text = "The router has just started and does not know its applications yet. Try again shortly."
    return _page(request, 503, "One moment, please", text, retry_after=SOON)


def unreachable(request: web.BaseRequest) -> web.Response:
    """502: the application should run, and none of its instances answered."""
    text = "The application should be running, but it did not answer. Its logs may tell why."
    return _page(request, 502, "The application did not answer", text)


def _page(
    request: web.BaseRequest, status: int, title: str, text: str, *, retry_after: int = 0
) -> web.Response:
    html = _accepts_html(request.headers.get(hdrs.ACCEPT, "*/*"))
    filled = PAGE.format(status=status, title=escape(title), text=escape(text))
    response = web.Response(
        status=status,
        text=filled if html else f"{title}\n\n{text}\n",
        content_type="text/html" if html else "text/plain",
        headers={hdrs.CACHE_CONTROL: "no-store", hdrs.SERVER: "windlass"},
    )
    if retry_after:
        response.headers[hdrs.RETRY_AFTER] = str(retry_after)
    if request.can_read_body:
        response.force_close()  # nobody will read what the client is still sending
    return response


def _accepts_html(accept: str) -> bool:
    for choice in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        if kind in ("text/html", "text/*", "*/*"):
            return not any(p in ("q=0", "q=0.0", "q=0.00", "q=0.000") for p in parameters)
    return False
