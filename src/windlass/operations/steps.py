"""The steps that operations share: each an effect that could fail alone, with its undo."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Step
from windlass.engine.policy import Retry
from windlass.errors import NotFound
from windlass.model.applications import AppState, host_of
from windlass.model.gears import Gear
from windlass.model.ids import AppId, GearId, NodeId, ReleaseId
from windlass.model.variables import SECRET_TOKEN
from windlass.nodes.node import Node


async def placed(broker: Broker, id: GearId) -> tuple[Gear, Node]:
    """A gear that has a row, and its node; NotFound without one."""
    housed = await broker.store.fleet.gear(id)
    if housed is None:
        raise NotFound(f"there is no gear {id} any more")
    return housed.gear, broker.node(housed.node)


@dataclass(frozen=True)
class TakeSlot(Step[Broker]):
    """A number on the node for a new gear: uid and address follow from it."""

    application: AppId
    gear: GearId
    node: NodeId

    async def do(self, world: Broker) -> None:
        """The lowest free one, under a unique constraint."""
        await world.store.fleet.take_slot(self.gear, self.application, self.node)

    async def undo(self, world: Broker) -> None:
        """Free it."""
        await world.store.fleet.give_up_slot(self.gear)


@dataclass(frozen=True)
class CreateGear(Step[Broker]):
    """A home, an identity and limits."""

    gear: GearId
    node: NodeId

    async def do(self, world: Broker) -> None:
        """Ask the node, and keep where it has put the gear."""
        gear, node = await placed(world, self.gear)
        place = await node.create(gear, world.by)
        await world.store.fleet.note_address(self.gear, place.address)

    async def undo(self, world: Broker) -> None:
        """Nothing of it is left."""
        await world.node(self.node).remove(self.gear, world.by)


@dataclass(frozen=True)
class RemoveGear(Step[Broker]):
    """A gear with its processes and files is gone, and its owner may have another."""

    one_way: ClassVar[bool] = True

    gear: GearId
    node: NodeId

    async def do(self, world: Broker) -> None:
        """A node removes what is not there without complaint."""
        await world.node(self.node).remove(self.gear, world.by)
        await world.store.fleet.remove(self.gear)


@dataclass(frozen=True)
class MakeSecret(Step[Broker]):
    """A secret that the application's gears share, made once."""

    application: AppId

    async def do(self, world: Broker) -> None:
        """Insert if absent: a second try finds the first one's."""
        value = secrets.token_hex(32)
        await world.store.applications.keep_secret(self.application, SECRET_TOKEN, value)


@dataclass(frozen=True)
class PublishVariables(Step[Broker]):
    """The environment that a gear's processes see: always the whole set."""

    application: AppId
    gear: GearId

    async def do(self, world: Broker) -> None:
        """As OpenShift named them."""
        gear, node = await placed(world, self.gear)
        await node.publish(gear, await variables(world, self.application, self.gear), world.by)


@dataclass(frozen=True)
class RepublishVariables(Step[Broker]):
    """When what comes after this is taken back, the gear sees the variables as they were.

    It stands before the steps that change what variables say, and so is undone after them.
    """

    application: AppId
    gear: GearId

    async def undo(self, world: Broker) -> None:
        """The whole set, as it is again."""
        gear, node = await placed(world, self.gear)
        await node.publish(gear, await variables(world, self.application, self.gear), world.by)


async def variables(broker: Broker, id: AppId, gear: GearId) -> dict[str, str]:
    """An application's environment: what the platform tells, and what its user does."""
    application = await broker.store.applications.get(id)
    if application is None:
        raise NotFound("there is no such application any more", code=101)
    dns = host_of(application.name, application.domain_name, broker.apps_domain)
    return {
        "OPENSHIFT_APP_NAME": application.name,
        "OPENSHIFT_APP_UUID": id,
        "OPENSHIFT_APP_DNS": dns,
        "OPENSHIFT_GEAR_NAME": application.name,
        "OPENSHIFT_GEAR_UUID": gear,
        "OPENSHIFT_NAMESPACE": application.domain_name,
        "OPENSHIFT_APP_ALIASES": ",".join(await broker.store.routing.aliases(id)),
        **await broker.store.applications.secrets(id),
        **{one.name: one.value for one in await broker.store.variables.all(id)},
    }


@dataclass(frozen=True)
class InstallCartridge(Step[Broker]):
    """Put a cartridge into a gear."""

    gear: GearId
    cartridge: str

    async def do(self, world: Broker) -> None:
        """Run its install."""
        gear, node = await placed(world, self.gear)
        await node.install(gear, world.catalog.get(self.cartridge), world.by)

    async def undo(self, world: Broker) -> None:
        """Take away what it has put there."""
        gear, node = await placed(world, self.gear)
        await node.uninstall(gear, world.catalog.get(self.cartridge), world.by)


@dataclass(frozen=True)
class BuildRelease(Step[Broker]):
    """Make a release from the uploaded source, or from the cartridge's template."""

    retry: ClassVar[Retry] = Retry(attempts=3)
    timeout: ClassVar[float] = 900.0

    application: AppId
    gear: GearId
    cartridge: str
    release: ReleaseId
    uploaded: bool

    async def do(self, world: Broker) -> None:
        """Build, and number it."""
        gear, node = await placed(world, self.gear)
        source = world.archive(self.release) if self.uploaded else None
        cartridge = world.catalog.get(self.cartridge)
        await node.build(gear, cartridge, self.release, source, world.by)
        await world.store.applications.add_release(self.application, self.release)

    async def undo(self, world: Broker) -> None:
        """The release is gone, from the gear and from the list."""
        await world.store.applications.drop_releases(self.application, [self.release])
        await drop(world, self.gear, self.release)


@dataclass(frozen=True)
class CopyRelease(Step[Broker]):
    """The same release as in another gear of the application."""

    retry: ClassVar[Retry] = Retry(attempts=3)
    timeout: ClassVar[float] = 900.0

    gear: GearId
    release: ReleaseId
    source: GearId

    async def do(self, world: Broker) -> None:
        """Copy it."""
        gear, node = await placed(world, self.gear)
        await node.copy(gear, self.release, self.source, world.by)

    async def undo(self, world: Broker) -> None:
        """The release is gone from this gear."""
        await drop(world, self.gear, self.release)


async def drop(world: Broker, id: GearId, release: ReleaseId) -> None:
    """Every release of a gear stays but this."""
    gear, node = await placed(world, id)
    there = (await node.observe(id)).releases
    await node.keep(gear, there - {release}, world.by)


@dataclass(frozen=True)
class ActivateRelease(Step[Broker]):
    """Point an application's gears at a release."""

    application: AppId
    gear: GearId
    release: ReleaseId
    before: ReleaseId | None

    async def do(self, world: Broker) -> None:
        """This one."""
        await self.point(world, self.release)

    async def undo(self, world: Broker) -> None:
        """The one before."""
        await self.point(world, self.before)

    async def point(self, world: Broker, release: ReleaseId | None) -> None:
        """On the gear, and in the application's row."""
        gear, node = await placed(world, self.gear)
        await node.activate(gear, release, world.by)
        await world.store.applications.note(self.application, release=release)


@dataclass(frozen=True)
class ReceiveSource(Step[Broker]):
    """The uploaded source is there for the build, and goes with a deployment that fails."""

    release: ReleaseId

    async def do(self, world: Broker) -> None:
        """It was written before the job was made."""
        if not await asyncio.to_thread(world.archive(self.release).exists):
            raise NotFound("the uploaded source is not there any more; deploy again")

    async def undo(self, world: Broker) -> None:
        """Delete it."""
        await asyncio.to_thread(world.archive(self.release).unlink, missing_ok=True)


@dataclass(frozen=True)
class DropSource(Step[Broker]):
    """The source has been built; from here on it is not needed."""

    one_way: ClassVar[bool] = True

    release: ReleaseId

    async def do(self, world: Broker) -> None:
        """Delete it."""
        await asyncio.to_thread(world.archive(self.release).unlink, missing_ok=True)


@dataclass(frozen=True)
class OpenRoute(Step[Broker]):
    """A host name leads to the application."""

    application: AppId
    host: str
    alias: bool = False

    async def do(self, world: Broker) -> None:
        """Open it."""
        await world.store.routing.open(self.host, self.application, alias=self.alias)

    async def undo(self, world: Broker) -> None:
        """Close it."""
        await world.store.routing.close(self.host)


@dataclass(frozen=True)
class CloseRoute(Step[Broker]):
    """A host name leads nowhere any more."""

    application: AppId
    host: str
    alias: bool = False

    async def do(self, world: Broker) -> None:
        """Close it."""
        await world.store.routing.close(self.host)

    async def undo(self, world: Broker) -> None:
        """Open it again."""
        await world.store.routing.open(self.host, self.application, alias=self.alias)


@dataclass(frozen=True)
class NoteState(Step[Broker]):
    """What the application is up to from now on."""

    application: AppId
    state: AppState
    before: AppState

    async def do(self, world: Broker) -> None:
        """Note it."""
        await world.store.applications.note(self.application, state=self.state)

    async def undo(self, world: Broker) -> None:
        """Note what it was before."""
        await world.store.applications.note(self.application, state=self.before)
