"""Starting, stopping and restarting applications."""

from dataclasses import dataclass

from windlass.broker import Broker
from windlass.engine.operation import Plan
from windlass.errors import Conflict
from windlass.model.applications import AppState
from windlass.operations.base import OnPresent, present
from windlass.operations.rolling import retire, rise, silence
from windlass.operations.steps import NoteState


@dataclass(frozen=True)
class StartApplication(OnPresent):
    """A stopped application answers again."""

    @property
    def title(self) -> str:
        """What people see."""
        return f"Start application {self.name}"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Nothing, if it runs."""
        application = await present(world, self.application)
        if application.state is AppState.STOPPED:
            async for stage in renew(world, self):
                yield stage
            yield NoteState(self.application, AppState.STARTED, before=application.state)


@dataclass(frozen=True)
class Stop(OnPresent, base=True):
    """An application answers no more; its files stay."""

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Traffic first, then the processes."""
        application = await present(world, self.application)
        old = await world.store.fleet.instances(self.application)
        yield NoteState(self.application, AppState.STOPPED, before=application.state)
        for stage in silence(self.application, old):
            yield stage
        for stage in retire(self.application, old):
            yield stage


@dataclass(frozen=True)
class StopApplication(Stop):
    """Its user wants it to stop."""

    @property
    def title(self) -> str:
        """What people see."""
        return f"Stop application {self.name}"


@dataclass(frozen=True)
class StopFull(Stop):
    """One of its gears has filled more than its size of a disk that all share."""

    @property
    def title(self) -> str:
        """What people see."""
        return f"Stop application {self.name}, whose disk is full"


@dataclass(frozen=True)
class RestartApplication(OnPresent):
    """New processes take over from the old ones, and no request is lost."""

    @property
    def title(self) -> str:
        """What people see."""
        return f"Restart application {self.name}"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """New first, old last; one that was stopped is started."""
        application = await present(world, self.application)
        async for stage in renew(world, self):
            yield stage
        yield NoteState(self.application, AppState.STARTED, before=application.state)
        for stage in retire(self.application, await world.store.fleet.instances(self.application)):
            yield stage


async def renew(world: Broker, operation: OnPresent) -> Plan[Broker]:
    """New instances of the active release, with the traffic."""
    application = await present(world, operation.application)
    if application.release is None:
        raise Conflict(f"{application.name} has no release to start")
    gears = [one.gear.id for one in await world.store.fleet.gears(application.id)]
    old = await world.store.fleet.instances(application.id)
    for stage in rise(application.id, gears, application.release, old):
        yield stage
