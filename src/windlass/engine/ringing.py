"""Ringing: nudges go out after the commit; one that is lost costs a second."""

from collections.abc import Collection

import structlog

from windlass.engine.queue import Nudge, Queue
from windlass.errors import Transient

log = structlog.get_logger()


async def ring(queue: Queue, nudges: Collection[Nudge]) -> None:
    """Put nudges into the queue; while it is away, workers find the jobs by themselves."""
    if not nudges:
        return
    try:
        await queue.put(nudges)
    except Transient as error:
        log.warning("queue.away", why=str(error))
