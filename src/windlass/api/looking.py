"""How gears are now: what their nodes see of them, if they say so in time."""

import asyncio
from collections.abc import Sequence

import structlog

from windlass.broker import Broker
from windlass.errors import WindlassError
from windlass.model.gears import GearReport
from windlass.model.ids import GearId
from windlass.store.fleet import Housed

PATIENCE = 2.0  # seconds that nodes have to say how instances are

log = structlog.get_logger()


async def look(broker: Broker, gears: Sequence[Housed]) -> dict[GearId, GearReport]:
    """The gears as their nodes see them; none, if a node does not say in time."""
    try:
        async with asyncio.timeout(PATIENCE):
            nodes = broker.nodes
            asking = [nodes[one.node].observe(one.gear.id) for one in gears if one.node in nodes]
            return {report.id: report for report in await asyncio.gather(*asking)}
    except (WindlassError, TimeoutError, OSError) as error:
        log.warning("gears.unseen", gears=[one.gear.id for one in gears], why=str(error))
        return {}
