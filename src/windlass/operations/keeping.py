"""Releases that stay with an application, and those that go."""

from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Step
from windlass.model.ids import AppId, GearId
from windlass.operations.base import present
from windlass.operations.steps import placed

KEPT = 5  # releases of an application; older ones are deleted


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
