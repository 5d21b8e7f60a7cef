"""Gears that are on a node and that nobody knows of: found by housekeeping, removed by a job."""

from dataclasses import dataclass

import structlog

from windlass.broker import Broker
from windlass.engine.job import Asker, Request
from windlass.engine.operation import Operation, Plan
from windlass.engine.scope import Scope
from windlass.model.ids import GearId, NodeId
from windlass.operations.steps import RemoveGear

KEEPER = "windlass"  # who asks

Stray = tuple[NodeId, GearId]

log = structlog.get_logger()


@dataclass(frozen=True)
class RemoveStray(Operation[Broker]):
    """A gear without a row goes. Its job is newer than any that made it, and so is the lease."""

    gear: GearId
    node: NodeId

    @property
    def title(self) -> str:
        """What people see."""
        return f"Remove gear {self.gear}, which belongs to nobody"

    @property
    def scope(self) -> Scope:
        """The gear alone."""
        return Scope(exclusive={self.gear})

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Nothing, if it is somebody's after all."""
        if await world.store.fleet.gear(self.gear) is None:
            yield RemoveGear(self.gear, self.node)


async def tidy(broker: Broker, before: set[Stray]) -> set[Stray]:
    """Ask for the removal of those that were strays before and still are; all that are now.

    Once is not enough: a gear may have been on its way.
    """
    found = await strays(broker)
    for node, gear in sorted(found & before):
        log.warning("gear.stray", gear=gear, node=node)
        operation = RemoveStray(gear, node)
        await broker.submit(Request(operation, KEEPER, Asker(KEEPER), {}, key=f"stray-{gear}"))
    return found


async def strays(broker: Broker) -> set[Stray]:
    """Gears that are on a node and have no row."""
    found: set[Stray] = set()
    for id, node in broker.nodes.items():
        there = await node.gears()  # first: what is made meanwhile has its row before its home
        found |= {(id, gear) for gear in there - await broker.store.fleet.on_node(id)}
    return found
