"""Aliases: an application answers at one more host name, or at one fewer."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Hold, Plan, Step
from windlass.errors import NotFound
from windlass.model.ids import AppId
from windlass.operations.base import OnApplication, OnPresent, present
from windlass.operations.steps import CloseRoute, OpenRoute, PublishVariables, RepublishVariables

ALIAS = "alias"  # the kind of an alias's hold


@dataclass(frozen=True)
class AddAlias(OnApplication):
    """An application answers at one more host name."""

    fqdn: str

    @property
    def title(self) -> str:
        """What people see."""
        return f"Add alias {self.fqdn} to application {self.name}"

    async def reserve(self, world: Broker) -> Collection[Hold]:
        """The name; nobody else may have it."""
        await present(world, self.application)
        return [Hold.name(ALIAS, self.fqdn, self.application)]

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Traffic to it, and every gear is told."""
        async for stage in told(world, self, OpenRoute(self.application, self.fqdn, alias=True)):
            yield stage


@dataclass(frozen=True)
class RemoveAlias(OnPresent):
    """An application answers at a host name no more, and others may have it."""

    fqdn: str

    @property
    def title(self) -> str:
        """What people see."""
        return f"Remove alias {self.fqdn} from application {self.name}"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """No traffic, every gear is told, and the name is free."""
        if self.fqdn not in await world.store.routing.aliases(self.application):
            raise NotFound(f"{self.fqdn} is no alias of {self.name} any more", code=173)
        async for stage in told(world, self, CloseRoute(self.application, self.fqdn, alias=True)):
            yield stage
        yield FreeName(self.application, ALIAS, self.fqdn)


async def told(world: Broker, operation: OnApplication, change: Step[Broker]) -> Plan[Broker]:
    """A change of the routes, of which every gear is told, and also when it is taken back."""
    id = operation.application
    gears = [one.gear.id for one in await world.store.fleet.gears(id)]
    yield tuple(RepublishVariables(id, gear) for gear in gears)
    yield change
    yield tuple(PublishVariables(id, gear) for gear in gears)


@dataclass(frozen=True)
class FreeName(Step[Broker]):
    """A name that the application has held is free."""

    one_way: ClassVar[bool] = True

    application: AppId
    kind_of_name: str
    name: str

    async def do(self, world: Broker) -> None:
        """Give it up."""
        hold = Hold.name(self.kind_of_name, self.name, self.application)
        await world.store.applications.give_up(self.application, hold.key)
