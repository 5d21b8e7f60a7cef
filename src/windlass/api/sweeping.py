"""What was set aside for jobs that never came, or never used it: swept by and by."""

import asyncio
import random

import structlog

from windlass.api import releases, variables
from windlass.broker import Broker
from windlass.errors import Transient

SWEEP = 1800.0  # seconds between looks, about

log = structlog.get_logger()


async def keep_swept(broker: Broker) -> None:
    """Sweep again and again, until cancelled."""
    while True:
        for what in (releases, variables):
            try:
                await what.sweep(broker)
            except (Transient, OSError) as error:
                log.warning("unswept", what=what.__name__, why=str(error))
        await asyncio.sleep(SWEEP * random.uniform(0.8, 1.2))
