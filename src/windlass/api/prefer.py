"""How a job is answered: at once by a redirect, as JSON, or when it has ended."""

import asyncio
from dataclasses import dataclass

from litestar import Response

from windlass.api.answers import json_answer
from windlass.api.front import Front
from windlass.api.requests import Asked
from windlass.api.wire import Json
from windlass.engine.lease import JobId
from windlass.errors import Refused

LONGEST = 60.0  # seconds that a request is held
LONGEST_KEY = 255


@dataclass(frozen=True)
class Preference:
    """What the Prefer header asks for, as far as we know it."""

    asynchronously: bool = False
    wait: float | None = None


def preference(header: str) -> Preference:
    """The header's wishes; what cannot be read is no wish (RFC 7240)."""
    asynchronously, wait = False, None
    for wish in header.split(","):
        name, _, value = wish.partition(";")[0].partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "respond-async":
            asynchronously = True
        elif name == "wait" and value.isascii() and value.isdigit() and wait is None:
            wait = min(float(value[:9]), LONGEST)
    return Preference(asynchronously, wait)


async def job_answer(request: Asked, job: JobId) -> Response[bytes] | Response[str]:
    """The answer to what became a job."""
    front, wish = request.front, preference(", ".join(request.headers.getall("prefer", [])))
    if wish.wait is not None:
        found = await ended(front, job, wish.wait)
        if found is not None:
            return json_answer(found, 200, applied(front, job, f"wait={wish.wait:.0f}"))
    if wish.asynchronously:
        return json_answer(await front.job_now(job), 202, applied(front, job, "respond-async"))
    return redirect(front, job)


def applied(front: Front, job: JobId, what: str) -> dict[str, str]:
    """The headers of an answer in JSON."""
    url = front.urls.job(job)
    return {"Location": url, "Content-Location": url, **links(url), "Preference-Applied": what}


def redirect(front: Front, job: JobId) -> Response[str]:
    """307 and the job's URL as text; without Location, which clients would ask again."""
    url = front.urls.job(job)
    headers = {**links(url), "Cache-Control": "no-store"}
    return Response(url, status_code=307, media_type="text/plain", headers=headers)


def links(url: str) -> dict[str, str]:
    """Where to look, and when."""
    return {
        "Operation-Location": url,
        "Link": f'<{url}>; rel="monitor"',
        "Retry-After": "1",
    }


async def ended(front: Front, job: JobId, patience: float) -> Json | None:
    """The job when it has ended; None if that takes longer."""
    async with front.hub.watch(job) as watcher:
        try:
            async with asyncio.timeout(patience):
                while not watcher.shown.ended:
                    await watcher.bell.wait()
                    watcher.take()
        except TimeoutError:
            return None
        return watcher.shown.job


def key_of(request: Asked) -> str | None:
    """The Idempotency-Key; Refused if it is not 1 to 255 visible characters."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not all("!" <= one <= "~" for one in key):
        raise Refused(
            f"an Idempotency-Key is 1 to {LONGEST_KEY} visible characters", field="Idempotency-Key"
        )
    return key
