"""Bringing instances up and taking them out without losing a request: new first, old last."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import ClassVar

from windlass.broker import Broker
from windlass.engine.operation import Step
from windlass.engine.policy import Retry
from windlass.errors import Refused
from windlass.model.applications import Application, AppState
from windlass.model.gears import InstanceReport, InstanceState
from windlass.model.health import MOST_GRACE, Health, health_of
from windlass.model.ids import AppId, GearId, InstanceId, ReleaseId, instance_id
from windlass.operations.steps import placed
from windlass.store.fleet import Running

SOON = 0.3  # seconds in which most instances answer: for so long the node looks all the time
LOOK, SELDOM = 0.01, 0.25  # seconds between looks after that: at least and at most
SHARE = 0.05  # of the time that it has taken, which nobody minds if the next look comes later
CRASHES = 2  # restarts of a new instance after which it will not come up by itself


def rise(
    application: AppId,
    gears: Sequence[GearId],
    release: ReleaseId,
    old: Sequence[Running],
    *,
    beside: bool = False,
    meanwhile: Sequence[Step[Broker]] = (),
) -> Iterator[tuple[Step[Broker], ...]]:
    """New instances of a release, one a gear; traffic moves to them when they answer.

    Or, `beside` the old ones, they share it. What can be done `meanwhile` needs no time of its own.
    """
    new = [(gear, instance_id()) for gear in gears]
    yield tuple(StartInstance(application, gear, one, release) for gear, one in new)
    yield (*(AwaitAnswer(application, gear, one) for gear, one in new), *meanwhile)
    routed = tuple(one.id for one in old if one.routed)
    stay = routed if beside else ()
    if routed:
        yield (AwaitReturn(application),)
    yield (SwitchTraffic(application, (*stay, *(one for _, one in new)), routed),)


def silence(application: AppId, old: Sequence[Running]) -> Iterator[tuple[Step[Broker], ...]]:
    """No traffic to the application."""
    routed = tuple(one.id for one in old if one.routed)
    yield (SwitchTraffic(application, (), routed),)


def retire(application: AppId, old: Sequence[Running]) -> Iterator[tuple[Step[Broker], ...]]:
    """Old instances finish what they have accepted, and stop: from here there is no way back."""
    if any(one.routed for one in old):
        yield (DrainTraffic(application),)
    gears = sorted({one.gear for one in old})
    if gears:
        yield tuple(
            StopInstances(application, gear, tuple(one.id for one in old if one.gear == gear))
            for gear in gears
        )


@dataclass(frozen=True)
class Succession:
    """The stages in which new instances come up, and those in which the old ones then leave."""

    up: tuple[tuple[Step[Broker], ...], ...] = ()
    out: tuple[tuple[Step[Broker], ...], ...] = ()


async def succession(world: Broker, application: Application) -> Succession:
    """New instances for the old: they see what was published since.

    Nothing of an application that is stopped, or of which no instance answers: what starts later
    finds it by itself, and nobody must wait for what does not come up.
    """
    old = await world.store.fleet.instances(application.id)
    gears = await world.store.fleet.gears(application.id)
    if application.state is AppState.STOPPED or application.release is None:
        return Succession()
    reports = [await world.node(one.node).observe(one.gear.id) for one in gears]
    if not any(seen.state is InstanceState.UP for one in reports for seen in one.instances):
        return Succession()
    ids = [one.gear.id for one in gears]
    up = tuple(rise(application.id, ids, application.release, old))
    return Succession(up, tuple(retire(application.id, old)))


def together(
    several: Iterable[Sequence[tuple[Step[Broker], ...]]],
) -> Iterator[tuple[Step[Broker], ...]]:
    """The first stages of all side by side, then the second ones, and so on."""
    for stages in zip_longest(*several, fillvalue=()):
        yield tuple(step for stage in stages for step in stage)


async def serve(world: Broker, application: AppId, id: GearId) -> None:
    """Tell a gear's node the whole set of instances that is wanted there."""
    gear, node = await placed(world, id)
    found = await world.store.applications.get(application)
    if found is None:
        raise Refused("there is no such application any more")
    wanted = [one for one in await world.store.fleet.in_gear(id) if one.wanted]
    cartridge = world.catalog.get(found.cartridge)
    instances = [replace(one.instance, health_path=found.health_path) for one in wanted]
    await node.serve(gear, cartridge, instances, world.by)


@dataclass(frozen=True)
class StartInstance(Step[Broker]):
    """One more instance runs in a gear, beside those that do."""

    application: AppId
    gear: GearId
    instance: InstanceId
    release: ReleaseId

    async def do(self, world: Broker) -> None:
        """Want it, and say so to the node."""
        await world.store.fleet.want(self.instance, self.gear, self.release)
        await serve(world, self.application, self.gear)

    async def undo(self, world: Broker) -> None:
        """Want it no more."""
        await world.store.fleet.unwant([self.instance])
        await serve(world, self.application, self.gear)
        await world.store.fleet.forget([self.instance])


@dataclass(frozen=True)
class AwaitAnswer(Step[Broker]):
    """The new instance answers; one that keeps crashing will not."""

    waits: ClassVar[bool] = True
    retry: ClassVar[Retry] = Retry(attempts=2)
    timeout: ClassVar[float] = MOST_GRACE + 60.0  # the grace ends sooner, and says why

    application: AppId
    gear: GearId
    instance: InstanceId

    async def do(self, world: Broker) -> None:
        """Look until it does, and keep where."""
        _, node = await placed(world, self.gear)
        health = await self.health(world)
        began, waited = time.monotonic(), 0.0
        while True:
            seen = await node.observe(self.gear, patience=max(0.0, SOON - waited))
            report = seen.instance(self.instance)
            if report is not None and report.state is InstanceState.UP and report.address:
                return await world.store.fleet.answers(self.instance, report.address)
            if report is not None and report.restarts >= CRASHES:
                raise Refused(f"the application does not start: {report.why or 'it exits at once'}")
            if (waited := time.monotonic() - began) > health.grace:
                raise Refused(unanswered(report, health))
            await asyncio.sleep(min(max(LOOK, SHARE * waited), SELDOM))

    async def health(self, world: Broker) -> Health:
        """What the application is asked, and how long it may take."""
        application = await world.store.applications.get(self.application)
        if application is None:
            raise Refused("there is no such application any more")
        return health_of(application, world.catalog.get(application.cartridge))


def unanswered(report: InstanceReport | None, health: Health) -> str:
    """What was asked, what came back, and the last that the instance has said."""
    came = (report and report.why) or f"GET {health.path} is not answered"
    said = (report and report.said) or "(its log is empty)"
    lines = f"the application does not answer within {health.grace:g} seconds: {came}"
    return lines if said in came else f"{lines}\nThe end of its log:\n{said}"


@dataclass(frozen=True)
class SwitchTraffic(Step[Broker]):
    """The application's traffic goes to these instances, and to no others."""

    application: AppId
    to: tuple[InstanceId, ...]
    before: tuple[InstanceId, ...]

    async def do(self, world: Broker) -> None:
        """Over to them."""
        await world.store.fleet.route(self.application, list(self.to))

    async def undo(self, world: Broker) -> None:
        """Back to those before."""
        await world.store.fleet.route(self.application, list(self.before))


@dataclass(frozen=True)
class DrainTraffic(Step[Broker]):
    """Every living router has heard of the switch, and requests on their way have arrived."""

    waits: ClassVar[bool] = True

    application: AppId

    async def do(self, world: Broker) -> None:
        """The version now, which may be a later one than the switch's: that is as good."""
        await world.store.routers.caught_up(await world.store.routers.version())


@dataclass(frozen=True)
class AwaitReturn(Step[Broker]):
    """When a switch that comes after this is taken back, every living router has heard of it.

    Only then the new instances stop: requests were on their way to them.
    """

    application: AppId

    async def undo(self, world: Broker) -> None:
        """Wait, as a switch does on its way forward."""
        await world.store.routers.caught_up(await world.store.routers.version())


@dataclass(frozen=True)
class StopInstances(Step[Broker]):
    """Old instances end when they have answered what they accepted."""

    one_way: ClassVar[bool] = True

    application: AppId
    gear: GearId
    instances: tuple[InstanceId, ...]

    async def do(self, world: Broker) -> None:
        """Want them no more."""
        await world.store.fleet.unwant(list(self.instances))
        await serve(world, self.application, self.gear)
        await world.store.fleet.forget(list(self.instances))
