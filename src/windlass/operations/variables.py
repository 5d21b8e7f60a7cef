"""Variables: an application's environment, as its users want it."""

from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Plan, Step
from windlass.errors import NotFound
from windlass.model.ids import ChangeId
from windlass.operations.base import OnPresent, present
from windlass.operations.rolling import succession
from windlass.operations.steps import PublishVariables, RepublishVariables


@dataclass(frozen=True)
class SetVariables(OnPresent):
    """Several variables at once; what they say is set aside, for it may be secret."""

    change: ChangeId
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        """What people see: the names, and never what they say."""
        first, more = ", ".join(self.names[:3]), len(self.names) - 3
        return f"Set {first}{f' and {more} more' if more > 0 else ''} of application {self.name}"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Every gear is told, and new instances see it; fails one, all is as before."""
        application = await present(world, self.application)
        gears = [one.gear.id for one in await world.store.fleet.gears(application.id)]
        yield TakeChange(self.change)
        yield tuple(RepublishVariables(application.id, gear) for gear in gears)
        yield MakeChange(self.change)
        yield tuple(PublishVariables(application.id, gear) for gear in gears)
        change = await succession(world, application)
        for stage in (*change.up, *change.out):
            yield stage
        yield ForgetChange(self.change)


@dataclass(frozen=True)
class TakeChange(Step[Broker]):
    """What was set aside is there, and goes with a job that fails."""

    change: ChangeId

    async def do(self, world: Broker) -> None:
        """It was written before the job was made."""
        if not await world.store.variables.is_kept(self.change):
            raise NotFound("what the variables were to say is not there any more; set them again")

    async def undo(self, world: Broker) -> None:
        """Forget it."""
        await world.store.variables.forget(self.change)


@dataclass(frozen=True)
class MakeChange(Step[Broker]):
    """The application has these variables."""

    change: ChangeId

    async def do(self, world: Broker) -> None:
        """And what was before is kept beside."""
        await world.store.variables.apply(self.change)

    async def undo(self, world: Broker) -> None:
        """As before."""
        await world.store.variables.revert(self.change)


@dataclass(frozen=True)
class ForgetChange(Step[Broker]):
    """What was set aside is not needed any more."""

    one_way: ClassVar[bool] = True

    change: ChangeId

    async def do(self, world: Broker) -> None:
        """Forget it."""
        await world.store.variables.forget(self.change)
