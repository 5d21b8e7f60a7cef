"""What can be done to an application that is there, beside starting and stopping it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Hold, Plan, Step
from windlass.engine.steplog import leave
from windlass.errors import Conflict, Refused
from windlass.model.applications import AppState
from windlass.model.cartridges import Action
from windlass.model.ids import AppId, GearId, InstanceId
from windlass.operations.base import OnPresent, present
from windlass.operations.keeping import KeepReleases
from windlass.operations.rolling import serve, silence
from windlass.operations.steps import NoteState, placed

UNKNOWN = 180  # the exit code for an action that a cartridge does not know


@dataclass(frozen=True)
class OnRunning(OnPresent, base=True):
    """Something that its cartridge's processes are asked for while they run."""

    action: ClassVar[Action]

    async def reserve(self, world: Broker) -> Collection[Hold]:
        """Its cartridge must know it, and it must have been started."""
        application = await present(world, self.application)
        if not world.catalog.get(application.cartridge).knows(self.action):
            what = f"the cartridge {application.cartridge} knows no {self.action}"
            raise Refused(f"{what}; a restart takes no request away either", code=UNKNOWN)
        if application.state is AppState.STOPPED:
            name = application.name
            raise Conflict(f"{name} is stopped; start it first: windlass app start {name}")
        return ()

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """In each of its gears."""
        cartridge = (await present(world, self.application)).cartridge
        gears = await world.store.fleet.gears(self.application)
        yield tuple(AskCartridge(one.gear.id, cartridge, self.action) for one in gears)


@dataclass(frozen=True)
class ReloadApplication(OnRunning):
    """The running instances read their configuration and code anew, without a new process tree."""

    action: ClassVar[Action] = Action.RELOAD

    @property
    def title(self) -> str:
        """What people see."""
        return f"Reload application {self.name}"


@dataclass(frozen=True)
class DumpThreads(OnRunning):
    """What every thread is doing, as the job's result."""

    action: ClassVar[Action] = Action.THREAD_DUMP

    @property
    def title(self) -> str:
        """What people see."""
        return f"Dump the threads of application {self.name}"


@dataclass(frozen=True)
class ForceStop(OnPresent):
    """An application ends at once, whatever it is doing; its files stay."""

    @property
    def title(self) -> str:
        """What people see."""
        return f"Stop application {self.name} by force"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Nobody waits for requests on their way."""
        application = await present(world, self.application)
        old = await world.store.fleet.instances(self.application)
        yield NoteState(self.application, AppState.STOPPED, before=application.state)
        for stage in silence(self.application, old):
            yield stage
        gears = await world.store.fleet.gears(self.application)
        yield tuple(
            KillInstances(
                self.application,
                application.cartridge,
                one.gear.id,
                tuple(each.id for each in old if each.gear == one.gear.id),
            )
            for one in gears
        )


@dataclass(frozen=True)
class TidyApplication(OnPresent):
    """Old logs, caches and releases give their room back."""

    @property
    def title(self) -> str:
        """What people see."""
        return f"Tidy application {self.name}"

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """Releases first; what that frees is not counted."""
        cartridge = (await present(world, self.application)).cartridge
        for one in await world.store.fleet.gears(self.application):
            yield KeepReleases(self.application, one.gear.id)
            yield TidyGear(one.gear.id, cartridge)


@dataclass(frozen=True)
class AskCartridge(Step[Broker]):
    """A gear's processes are asked for something; what they say is the result."""

    gear: GearId
    cartridge: str
    action: Action

    async def do(self, world: Broker) -> None:
        """Ask them; asked twice they do it twice, which changes nothing."""
        gear, node = await placed(world, self.gear)
        cartridge = world.catalog.get(self.cartridge)
        if said := await node.control(gear, cartridge, self.action, world.by):
            leave(said)


@dataclass(frozen=True)
class KillInstances(Step[Broker]):
    """Every process of a gear is killed, and none is started again."""

    one_way: ClassVar[bool] = True

    application: AppId
    cartridge: str
    gear: GearId
    instances: tuple[InstanceId, ...]

    async def do(self, world: Broker) -> None:
        """Want them no more, kill, and let the node forget them."""
        await world.store.fleet.unwant(list(self.instances))
        gear, node = await placed(world, self.gear)
        await node.control(gear, world.catalog.get(self.cartridge), Action.KILL, world.by)
        await serve(world, self.application, self.gear)
        await world.store.fleet.forget(list(self.instances))


@dataclass(frozen=True)
class TidyGear(Step[Broker]):
    """Caches and old logs of a gear go; the result says what that has freed."""

    one_way: ClassVar[bool] = True

    gear: GearId
    cartridge: str

    async def do(self, world: Broker) -> None:
        """Ask its node; a second try frees what the first has left."""
        gear, node = await placed(world, self.gear)
        cartridge = world.catalog.get(self.cartridge)
        freed = await node.control(gear, cartridge, Action.TIDY, world.by)
        leave(f"{freed} bytes freed in gear {self.gear}")
