"""Applications: created and deleted."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Hold, Operation, Plan, Step
from windlass.engine.scope import Scope
from windlass.errors import NotFound
from windlass.model.applications import AppState, check_app_name, host_of, path_of
from windlass.model.ids import AppId, DomainId, UserId, release_id
from windlass.model.sizes import size_of
from windlass.operations.base import OnApplication
from windlass.operations.quotas import new_gears, shares
from windlass.operations.rolling import rise, silence
from windlass.operations.steps import (
    ActivateRelease,
    BuildRelease,
    CloseRoute,
    CreateGear,
    InstallCartridge,
    MakeSecret,
    NoteState,
    OpenRoute,
    PublishVariables,
    RemoveGear,
    TakeSlot,
)


@dataclass(frozen=True)
class CreateApplication(Operation[Broker]):
    """A new application, answering at its own URL with the cartridge's template."""

    domain: DomainId
    domain_name: str
    owner: UserId
    application: AppId
    name: str
    cartridge: str
    size: str = "small"

    @property
    def title(self) -> str:
        """What people see."""
        return f"Create application {self.name} in {self.domain_name}"

    @property
    def scope(self) -> Scope:
        """The application alone; its domain and owner stay as they are meanwhile."""
        path = path_of(self.domain, self.application)
        return Scope(exclusive={path}, shared={self.domain, self.owner})

    async def reserve(self, world: Broker) -> Collection[Hold]:
        """Its name, and a gear of the owner's; its row is there from now on."""
        check_app_name(self.name)
        world.catalog.get(self.cartridge)
        owner = await world.store.accounts.get(self.owner)
        if owner is None or await world.store.domains.get(self.domain) is None:
            raise NotFound("the domain is gone", code=127)
        # By the domain's id: whoever gets its old name after a renaming has all names free.
        called = f"{self.domain}/{self.name}"
        name = Hold.name("application", called, self.application)
        await world.store.applications.add(
            self.application, name.key, self.domain, self.name, self.cartridge, self.size
        )
        return [name, *shares(owner, self.application, size_of(self.size), new_gears(1))]

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """A gear, a cartridge in it, a release of the template, traffic to it."""
        domain = await world.store.domains.get(self.domain)
        if domain is None:
            raise NotFound("the domain is gone", code=127)
        [gear] = await world.store.quotas.reserved(world.by.job)
        release, node = release_id(), world.roomiest()
        yield TakeSlot(self.application, gear, node)
        yield CreateGear(gear, node), MakeSecret(self.application)
        yield PublishVariables(self.application, gear)
        yield InstallCartridge(gear, self.cartridge)
        yield BuildRelease(self.application, gear, self.cartridge, release, uploaded=False)
        meanwhile = (
            ActivateRelease(self.application, gear, release, before=None),
            OpenRoute(self.application, host_of(self.name, domain.name, world.apps_domain)),
        )
        *risen, switch = rise(self.application, [gear], release, (), meanwhile=meanwhile)
        for stage in risen:
            yield stage
        yield *switch, NoteState(self.application, AppState.STARTED, before=AppState.CREATING)


@dataclass(frozen=True)
class DeleteApplication(OnApplication):
    """Nothing of an application is left, whatever it was up to."""

    final: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """What people see."""
        return f"Delete application {self.name}"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """First it is marked and silent, then its gears go; the rows are the last."""
        application = await world.store.applications.get(self.application)
        if application is None or application.maker is not None:
            return  # there never was one, or whoever makes one of this id comes after us
        yield MarkLeaving(self.application, application.state)
        aliases = await world.store.routing.aliases(self.application)
        for host in await world.store.routing.hosts(self.application):
            yield CloseRoute(self.application, host, alias=host in aliases)
        old = await world.store.fleet.instances(self.application)
        for stage in silence(self.application, old):
            yield stage
        gears = await world.store.fleet.gears(self.application)
        if gears:
            yield tuple(RemoveGear(one.gear.id, one.node) for one in gears)
        yield ForgetApplication(self.application)


@dataclass(frozen=True)
class MarkLeaving(Step[Broker]):
    """From now on it is on its way out: nothing new may begin on it."""

    application: AppId
    before: AppState

    async def do(self, world: Broker) -> None:
        """Mark it with this job."""
        await world.store.applications.note(
            self.application, leaving=world.by.job, state=AppState.DELETING
        )

    async def undo(self, world: Broker) -> None:
        """It stays."""
        await world.store.applications.note(self.application, leaving=None, state=self.before)


@dataclass(frozen=True)
class ForgetApplication(Step[Broker]):
    """The application gives up its name and its share of the quota; its rows go with that."""

    one_way: ClassVar[bool] = True

    application: AppId

    async def do(self, world: Broker) -> None:
        """Forget it."""
        await world.store.applications.forget(self.application)
