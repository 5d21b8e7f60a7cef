"""Scaling: more gears for an application, or fewer; no request is lost on the way."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from windlass.broker import Broker
from windlass.engine.operation import Hold, Plan, Step
from windlass.errors import Conflict, NotFound
from windlass.model.applications import Application, AppState
from windlass.model.ids import AppId, GearId
from windlass.model.scaling import Bounds, Wish, check_bounds
from windlass.model.sizes import size_of
from windlass.operations.base import OnApplication, present
from windlass.operations.quotas import new_gears, shares
from windlass.operations.rolling import SwitchTraffic, retire, rise
from windlass.operations.steps import (
    ActivateRelease,
    CopyRelease,
    CreateGear,
    InstallCartridge,
    PublishVariables,
    RemoveGear,
    TakeSlot,
)
from windlass.store.fleet import Housed


@dataclass(frozen=True)
class ScaleApplication(OnApplication):
    """An application has so many gears; `to` beats `by`, which may be negative."""

    to: int | None = None
    by: int = 0

    @property
    def title(self) -> str:
        """What people see."""
        how = f"by {self.by:+}" if self.to is None else f"to {self.to}"
        return f"Scale application {self.name} {how}"

    async def reserve(self, world: Broker) -> Collection[Hold]:
        """What will be more than there is, and than jobs before this one will have made."""
        application = await present(world, self.application)
        have = await world.store.quotas.gears(application.id)
        more = new_gears(self.goal(application, have) - have)
        return await room(world, application, more)

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """From the gears that are there by now."""
        application = await present(world, self.application)
        have = len(await world.store.fleet.gears(application.id))
        async for stage in resize(world, application, self.goal(application, have)):
            yield stage

    def goal(self, application: Application, have: int) -> int:
        """How many gears there shall be."""
        return Wish(self.to, self.by).goal(have, bounds_of(application))


@dataclass(frozen=True)
class BoundScaling(OnApplication):
    """An application has at least so many gears, and at most so many."""

    scales_from: int
    scales_to: int  # -1: no limit

    @property
    def title(self) -> str:
        """What people see."""
        most = "any number" if self.scales_to == -1 else self.scales_to
        return f"Bound application {self.name} to {self.scales_from} to {most} gears"

    async def reserve(self, world: Broker) -> Collection[Hold]:
        """The gears that are missing to the least."""
        application = await present(world, self.application)
        have = await world.store.quotas.gears(application.id)
        return await room(world, application, new_gears(self.bounds.nearest(have) - have))

    async def elaborate(self, world: Broker) -> Plan[Broker]:
        """The bounds, and the gears that they ask for."""
        application = await present(world, self.application)
        have = len(await world.store.fleet.gears(application.id))
        yield NoteBounds(application.id, self.bounds, bounds_of(application))
        async for stage in resize(world, application, self.bounds.nearest(have)):
            yield stage

    @property
    def bounds(self) -> Bounds:
        """As a record; Refused if there can be none such."""
        return check_bounds(self.scales_from, self.scales_to)


def bounds_of(application: Application) -> Bounds:
    """The bounds that an application has."""
    return Bounds(application.scales_from, application.scales_to)


async def room(world: Broker, application: Application, gears: Sequence[GearId]) -> list[Hold]:
    """What more gears must hold."""
    owner = await world.store.accounts.get(application.owner)
    if owner is None:
        raise NotFound("the owner is gone", code=99)
    return list(shares(owner, application.id, size_of(application.size), gears))


async def resize(world: Broker, application: Application, goal: int) -> Plan[Broker]:
    """More gears, or fewer, or nothing."""
    gears = await world.store.fleet.gears(application.id)
    if goal < len(gears):
        async for stage in shrink(world, application.id, gears[goal:]):
            yield stage
    reserved = await world.store.quotas.reserved(world.by.job)
    # Jobs before us have come to fewer gears than it looked like when ours were reserved.
    missing = new_gears(goal - len(gears) - len(reserved))
    if missing:
        yield HoldGears(application.id, tuple(missing))
    if new := [*reserved, *missing]:
        async for stage in grow(world, application, gears, new):
            yield stage


async def grow(
    world: Broker, application: Application, gears: Sequence[Housed], new: Sequence[GearId]
) -> Plan[Broker]:
    """Gears like the first one, its release in them; traffic only when all of them answer."""
    id, release = application.id, application.release
    if release is None:
        raise Conflict(f"{application.name} has no release to start")
    first, node = gears[0].gear.id, gears[0].node  # a release is copied within a node
    for gear in new:  # one after the other: side by side they would want the same slot
        yield TakeSlot(id, gear, node)
    yield tuple(CreateGear(gear, node) for gear in new)
    yield tuple(PublishVariables(id, gear) for gear in new)
    yield tuple(InstallCartridge(gear, application.cartridge) for gear in new)
    yield tuple(CopyRelease(gear, release, first) for gear in new)
    activation = tuple(ActivateRelease(id, gear, release, before=release) for gear in new)
    if application.state is AppState.STOPPED:
        yield activation
    else:
        old = await world.store.fleet.instances(id)
        for stage in rise(id, new, release, old, beside=True, meanwhile=activation):
            yield stage


async def shrink(world: Broker, id: AppId, leaving: Sequence[Housed]) -> Plan[Broker]:
    """Traffic first, then the processes, then the gears."""
    going = {one.gear.id for one in leaving}
    instances = await world.store.fleet.instances(id)
    routed = [one for one in instances if one.routed]
    stay = tuple(one.id for one in routed if one.gear not in going)
    if len(stay) < len(routed):
        yield SwitchTraffic(id, stay, tuple(one.id for one in routed))
    for stage in retire(id, [one for one in instances if one.gear in going]):
        yield stage
    yield tuple(RemoveGear(one.gear.id, one.node) for one in leaving)


@dataclass(frozen=True)
class HoldGears(Step[Broker]):
    """More gears of their owner's quotas than were reserved at the door."""

    application: AppId
    gears: tuple[GearId, ...]

    async def do(self, world: Broker) -> None:
        """Take them, if there are any left."""
        application = await present(world, self.application)
        wanted = await room(world, application, self.gears)
        await world.store.quotas.take(world.by.job, wanted)

    async def undo(self, world: Broker) -> None:
        """Others may have them."""
        await world.store.quotas.give_up(self.gears)


@dataclass(frozen=True)
class NoteBounds(Step[Broker]):
    """The fewest and the most gears that the application may have."""

    application: AppId
    bounds: Bounds
    before: Bounds

    async def do(self, world: Broker) -> None:
        """Note them."""
        await self.note(world, self.bounds)

    async def undo(self, world: Broker) -> None:
        """Note those before."""
        await self.note(world, self.before)

    async def note(self, world: Broker, bounds: Bounds) -> None:
        """In the application's row."""
        await world.store.applications.note(
            self.application, scales_from=bounds.least, scales_to=bounds.most
        )
