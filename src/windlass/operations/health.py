"""Health checks of applications: changed while they run."""

from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Plan, Step
from windlass.model.ids import AppId, GearId
from windlass.operations.base import OnPresent, present
from windlass.operations.rolling import serve


@dataclass(frozen=True)
class ConfigureHealth(OnPresent):
    """An application is asked at another path, or may take longer; null: as its cartridge says."""

    health_path: str | None
    health_grace: float | None

    @property
    def title(self) -> str:
        """What people see."""
        return f"Configure application {self.name}"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Written down first, then every gear is told."""
        before = await present(world, self.application)
        new = (self.health_path, self.health_grace)
        yield NoteHealth(self.application, *new, before.health_path, before.health_grace)
        gears = await world.store.fleet.gears(self.application)
        if gears:
            yield tuple(TellHealth(self.application, one.gear.id) for one in gears)


@dataclass(frozen=True)
class NoteHealth(Step[Broker]):
    """What the application is asked from now on."""

    application: AppId
    path: str | None
    grace: float | None
    path_before: str | None
    grace_before: float | None

    async def do(self, world: Broker) -> None:
        """Note it."""
        await world.store.applications.note(
            self.application, health_path=self.path, health_grace=self.grace
        )

    async def undo(self, world: Broker) -> None:
        """Note what it was before."""
        await world.store.applications.note(
            self.application, health_path=self.path_before, health_grace=self.grace_before
        )


@dataclass(frozen=True)
class TellHealth(Step[Broker]):
    """A gear's instances are asked what is written down; told once, it is not told back."""

    one_way: ClassVar[bool] = True

    application: AppId
    gear: GearId

    async def do(self, world: Broker) -> None:
        """The same instances, at the path that there is now."""
        await serve(world, self.application, self.gear)
