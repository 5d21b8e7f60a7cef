"""Releases: built beside the running one, switched to when they answer."""

from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Plan, Step
from windlass.model.applications import AppState
from windlass.model.ids import AppId, GearId, ReleaseId
from windlass.operations.base import OnPresent, present
from windlass.operations.rolling import retire, rise
from windlass.operations.steps import (
    ActivateRelease,
    BuildRelease,
    CopyRelease,
    DropSource,
    NoteState,
    ReceiveSource,
    placed,
)

KEPT = 5  # releases of an application; older ones are deleted


@dataclass(frozen=True)
class DeployRelease(OnPresent):
    """New code serves; if it does not come up, the old code has never stopped."""

    release: ReleaseId

    @property
    def title(self) -> str:
        """What people see."""
        return f"Deploy application {self.name}"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Build, start, switch, and only then stop what was there."""
        application = await present(world, self.application)
        first, *others = gears = [
            one.gear.id for one in await world.store.fleet.gears(application.id)
        ]
        old = await world.store.fleet.instances(application.id)
        stopped = application.state is AppState.STOPPED
        yield ReceiveSource(self.release)
        if not stopped:
            yield NoteState(application.id, AppState.DEPLOYING, before=application.state)
        yield BuildRelease(
            application.id, first, application.cartridge, self.release, uploaded=True
        )
        yield tuple(CopyRelease(gear, self.release, first) for gear in others)
        yield tuple(
            ActivateRelease(application.id, gear, self.release, application.release)
            for gear in gears
        )
        if not stopped:
            for stage in rise(application.id, gears, self.release, old):
                yield stage
            yield NoteState(application.id, AppState.STARTED, before=AppState.DEPLOYING)
            for stage in retire(application.id, old):
                yield stage
        yield DropSource(self.release)
        yield tuple(KeepReleases(application.id, gear) for gear in gears)


@dataclass(frozen=True)
class KeepReleases(Step[Broker]):
    """The newest releases stay, older ones go."""

    one_way: ClassVar[bool] = True

    application: AppId
    gear: GearId

    async def do(self, world: Broker) -> None:
        """Delete from the gear first, then from the list."""
        application = await present(world, self.application)
        releases = await world.store.applications.releases(self.application)
        kept = [one.id for one in releases[:KEPT]]
        if application.release is not None and application.release not in kept:
            kept.append(application.release)
        gear, node = await placed(world, self.gear)
        await node.keep(gear, kept, world.by)
        old = [one.id for one in releases if one.id not in kept]
        await world.store.applications.drop_releases(self.application, old)
