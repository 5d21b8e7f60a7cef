"""Releases: built beside the running one, switched to when they answer."""

from dataclasses import dataclass

from windlass.broker import Broker
from windlass.engine.operation import Plan
from windlass.model.applications import AppState
from windlass.model.ids import ReleaseId
from windlass.operations.base import OnPresent, present
from windlass.operations.keeping import KeepReleases
from windlass.operations.rolling import retire, rise
from windlass.operations.steps import (
    ActivateRelease,
    BuildRelease,
    CopyRelease,
    DropSource,
    NoteState,
    ReceiveSource,
)


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
        activation = tuple(
            ActivateRelease(application.id, gear, self.release, application.release)
            for gear in gears
        )
        if stopped:
            yield activation
        else:
            for stage in rise(application.id, gears, self.release, old, meanwhile=activation):
                yield stage
            yield NoteState(application.id, AppState.STARTED, before=AppState.DEPLOYING)
            for stage in retire(application.id, old):
                yield stage
        yield DropSource(self.release)
        yield tuple(KeepReleases(application.id, gear) for gear in gears)
