"""The page that a new application shows. Replace it by your own."""

import html
import os
import platform
from collections.abc import Callable

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} is ready</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{
    font: 1.05rem/1.6 system-ui, sans-serif;
    max-width: 40rem; margin: 12vh auto; padding: 0 1.5rem;
  }}
  h1 {{ font-weight: 600; margin-bottom: .2em; }}
  pre {{
    background: color-mix(in srgb, currentColor 8%, transparent);
    padding: .9em 1.1em; border-radius: .5em; overflow-x: auto;
  }}
  small {{ opacity: .7; }}
</style>
<h1>{name} is ready</h1>
<p>This page is served by your application's own process. Put your code in its place:</p>
<pre>windlass app deploy {name} DIR</pre>
<p>In <code>DIR</code>, a file <code>wsgi.py</code>, <code>asgi.py</code>, <code>app.py</code> or
<code>main.py</code> holds <code>application</code> or <code>app</code>: Flask, Django, FastAPI or
plain WSGI. A <code>requirements.txt</code> or <code>pyproject.toml</code> says what to install.
Leave <code>DIR</code> out to deploy the folder that you are in.</p>
<p><small>Release {release}, {python}</small></p>
</html>
"""


def application(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
    """Answer every request with the page."""
    page = PAGE.format(
        name=html.escape(os.environ.get("OPENSHIFT_APP_NAME", "your application")),
        release=html.escape(os.environ.get("WINDLASS_RELEASE", "unknown")),
        python=html.escape("Python " + platform.python_version()),
    ).encode()
    start_response(
        "200 OK",
        [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))],
    )
    return [page]
