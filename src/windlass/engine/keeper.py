"""Housekeeping: a few statements that any worker runs; no process is special."""

import asyncio
import random
from dataclasses import dataclass

import structlog

from windlass.engine.journal import Journal
from windlass.engine.queue import Queue
from windlass.engine.ringing import ring
from windlass.errors import Transient

ROUND = 0.5  # seconds between looks for what is due
PRUNE = 60.0  # seconds between prunings, about, once there is nothing to prune

log = structlog.get_logger()


@dataclass(frozen=True)
class Retention:
    """How long things are kept, in seconds."""

    steps: float = 3600.0  # of jobs that completed
    rows: float = 30 * 86_400.0  # of all jobs that ended


async def keep_house(journal: Journal, queue: Queue, retention: Retention) -> None:
    """Round after round, until cancelled."""
    prune_in = random.uniform(0, PRUNE)
    while True:
        try:
            await ring(queue, await journal.wake())
            if prune_in <= 0:
                more = await journal.prune(retention.steps, retention.rows)
                prune_in = 0.0 if more else PRUNE
        except Transient:
            pass  # the datastore is away; the next round may find it
        except Exception:
            log.exception("keeper.stumbled")  # whatever it is, jobs that are due must wake
        pause = ROUND * random.uniform(0.8, 1.2)
        prune_in -= pause
        await asyncio.sleep(pause)
