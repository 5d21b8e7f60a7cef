"""One try of a step: in time, and over before anything follows it."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

from windlass.errors import Transient

GRACE = 20.0  # seconds for a cancelled try to end


class Stuck(BaseException):
    """A try does not end: nothing may run beside it, so the worker takes itself out."""


async def try_once(act: Coroutine[Any, Any, None], timeout: float) -> Exception | None:
    """Run one try; returns how it failed, or None. It has ended when this returns or raises.

    A try that takes more than `timeout` seconds is cancelled and counts as failed.
    """
    task = asyncio.ensure_future(act)
    try:
        await asyncio.wait({task}, timeout=timeout)
    except asyncio.CancelledError:
        await see_through({task})
        raise
    if not task.done():
        await see_through({task})
        if task.cancelled() or task.exception() is not None:
            return Transient(f"it took longer than {timeout:g} seconds")
    if task.cancelled():
        return Transient("it was cancelled from within")
    error = task.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error


async def see_through(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait until they have ended; Stuck if one does not within the grace."""
    for task in tasks:
        task.cancel()
    waiting = asyncio.ensure_future(asyncio.wait(tasks, timeout=GRACE)) if tasks else None
    while waiting is not None and not waiting.done():
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            continue  # whoever cancels us meanwhile must wait as well
    if waiting is not None and waiting.result()[1]:
        raise Stuck
