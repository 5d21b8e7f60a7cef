"""Variables: an application's environment, as its users want it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Hold, Plan, Step
from windlass.errors import Conflict
from windlass.model.ids import AppId, ChangeId
from windlass.model.variables import Change, changed
from windlass.operations.base import OnApplication, present
from windlass.operations.rolling import succession
from windlass.operations.steps import PublishVariables, RepublishVariables


@dataclass(frozen=True)
class SetVariables(OnApplication):
    """Several variables at once; what they say is set aside, for it may be secret."""

    change: ChangeId
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        """What people see: the names, and never what they say."""
        first, more = ", ".join(self.names[:3]), len(self.names) - 3
        return f"Set {first}{f' and {more} more' if more > 0 else ''} of application {self.name}"

    async def reserve(self, world: Broker) -> Collection[Hold]:
        """The change is there, and there is room for it."""
        await present(world, self.application)
        there = await world.store.variables.all(self.application)
        changed({one.name: one.value for one in there}, await taken(world, self.change))
        return ()

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Every gear is told, and new instances see it; fails one, all is as before."""
        application = await present(world, self.application)
        gears = [one.gear.id for one in await world.store.fleet.gears(application.id)]
        yield TakeChange(self.change)
        yield tuple(RepublishVariables(application.id, gear) for gear in gears)
        yield MakeChange(application.id, self.change)
        yield tuple(PublishVariables(application.id, gear) for gear in gears)
        change = await succession(world, application)
        for stage in (*change.up, *change.out):
            yield stage
        yield ForgetChange(self.change)


async def taken(world: Broker, id: ChangeId) -> Change:
    """What was set aside; Conflict if it went with a job that failed."""
    change = await world.store.variables.kept(id)
    if not change:
        raise Conflict("what the variables were to say is not kept any more; set them again")
    return change


@dataclass(frozen=True)
class TakeChange(Step[Broker]):
    """What was set aside is there, and goes with a job that fails."""

    change: ChangeId

    async def do(self, world: Broker) -> None:
        """It was written before the job was made."""
        await taken(world, self.change)

    async def undo(self, world: Broker) -> None:
        """Forget it."""
        await world.store.variables.forget(self.change)


@dataclass(frozen=True)
class MakeChange(Step[Broker]):
    """The application has these variables."""

    application: AppId
    change: ChangeId

    async def do(self, world: Broker) -> None:
        """And what was before is kept beside."""
        await world.store.variables.apply(self.change, self.application)

    async def undo(self, world: Broker) -> None:
        """As before."""
        await world.store.variables.revert(self.change, self.application)


@dataclass(frozen=True)
class ForgetChange(Step[Broker]):
    """What was set aside is not needed any more."""

    one_way: ClassVar[bool] = True

    change: ChangeId

    async def do(self, world: Broker) -> None:
        """Forget it."""
        await world.store.variables.forget(self.change)
