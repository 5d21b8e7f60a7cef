"""Whether we are well, for whoever balances or supervises."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from litestar import Response, get

from windlass.api.answers import json_answer
from windlass.api.auth import OPEN
from windlass.api.requests import Asked
from windlass.api.wire import VERSION
from windlass.errors import Transient

PATIENCE = 2.0  # seconds

T = TypeVar("T")


@get("/health", opt=OPEN)
async def health(request: Asked) -> Response[bytes]:
    """200 if datastore and queue answer, else 503; jobs wait where there are no workers."""
    front = request.front
    workers = await answered(front.summary.workers())
    queue = await answered(heard(request))
    unable = await answered(front.broker.store.crews.unable()) if workers else []
    well = workers is not None and queue is not None
    told = {
        "status": "ok" if well else "ill",
        "database": "away" if workers is None else "ok",
        "queue": "away" if queue is None else "ok",
        "workers": workers or 0,
        "unable": unable or [],
        "version": VERSION,
    }
    return json_answer(told, 200 if well else 503, None if well else {"Retry-After": "1"})


async def heard(request: Asked) -> bool:
    """Whether the queue is there."""
    await request.front.broker.queue.check()
    return True


async def answered(asking: Awaitable[T]) -> T | None:
    """The answer, or None if there is none in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await asking
    except (Transient, TimeoutError):
        return None
