"""Domains: renamed with all that lives in them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Hold, Operation, Plan, Step
from windlass.engine.scope import Scope
from windlass.errors import Conflict, NotFound
from windlass.model.applications import check_domain_name, host_of
from windlass.model.ids import DomainId
from windlass.operations.rolling import succession, together
from windlass.operations.steps import CloseRoute, OpenRoute, PublishVariables, RepublishVariables


@dataclass(frozen=True)
class RenameDomain(Operation[Broker]):
    """A domain has another name, and its applications answer below that one.

    The old names answer until all is done; if one gear cannot follow, all is as before.
    """

    domain: DomainId
    before: str
    to: str

    @property
    def title(self) -> str:
        """What people see."""
        return f"Rename domain {self.before} to {self.to}"

    @property
    def scope(self) -> Scope:
        """The domain with everything in it."""
        return Scope(exclusive={self.domain})

    async def reserve(self, world: Broker) -> Collection[Hold]:
        """The new name; the old one stays the domain's until the end."""
        check_domain_name(self.to)
        await self.there(world)
        return [Hold.name("domain", self.to, self.domain)]

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """New names beside the old; gears are told, and instances that know the new ones."""
        await self.there(world)
        there = await world.store.applications.of_domain(self.domain)
        domain = world.apps_domain
        gears = [
            (one.id, each.gear.id)
            for one in there
            for each in await world.store.fleet.gears(one.id)
        ]
        yield tuple(OpenRoute(one.id, host_of(one.name, self.to, domain)) for one in there)
        yield tuple(RepublishVariables(id, gear) for id, gear in gears)
        yield NameDomain(self.domain, self.to, self.before)
        yield tuple(PublishVariables(id, gear) for id, gear in gears)
        changes = [await succession(world, one) for one in there]
        for stage in together(change.up for change in changes):
            yield stage
        for stage in together(change.out for change in changes):
            yield stage
        yield tuple(CloseRoute(one.id, host_of(one.name, self.before, domain)) for one in there)
        yield KeepName(self.domain, self.to, self.before)

    async def there(self, world: Broker) -> None:
        """It must be called as it was: another renaming may have come before this one."""
        found = await world.store.domains.get(self.domain)
        if found is None:
            raise NotFound("the domain is gone", code=127)
        if found.name != self.before:
            raise Conflict(f"the domain {self.before} is called {found.name} by now; ask again")


@dataclass(frozen=True)
class NameDomain(Step[Broker]):
    """The domain is called so."""

    domain: DomainId
    to: str
    before: str

    async def do(self, world: Broker) -> None:
        """From now on."""
        await world.store.domains.call(self.domain, self.to)

    async def undo(self, world: Broker) -> None:
        """As before."""
        await world.store.domains.call(self.domain, self.before)


@dataclass(frozen=True)
class KeepName(Step[Broker]):
    """The domain hangs on its new name, and others may have the old one."""

    one_way: ClassVar[bool] = True

    domain: DomainId
    to: str
    before: str

    async def do(self, world: Broker) -> None:
        """Move it over, and give up the old name."""
        old, new = (Hold.name("domain", name, self.domain) for name in (self.before, self.to))
        await world.store.domains.hang(self.domain, new.key, instead_of=old.key)
