"""`local:` the node that is this machine."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from windlass.engine.lease import Lease
from windlass.errors import Refused, WindlassError
from windlass.model.cartridges import Action, Cartridge
from windlass.model.gears import Gear, GearReport, Instance, Place
from windlass.model.ids import GearId, ReleaseId
from windlass.model.isolation import Aspect
from windlass.nodes.local import (
    actions,
    builds,
    disks,
    homes,
    isolation,
    leftovers,
    reports,
    shared,
)
from windlass.nodes.local.fence import Fence, Held
from windlass.nodes.local.files import in_thread
from windlass.nodes.local.ground import Gate, Ground
from windlass.nodes.local.instances import serve as serve_all
from windlass.nodes.local.instances import stop as stop_but
from windlass.nodes.local.layout import Layout
from windlass.nodes.local.supervisor import Supervisor
from windlass.nodes.setting import NodeSetting

THREADS = 8

log = structlog.get_logger()


class LocalNode:
    """Gears as processes of this machine, each in a sandbox, under a supervisor of their own.

    Whoever makes one may throw it away: everything is in the data folder, and the supervisor
    outlives us.
    """

    def __init__(self, url: str, setting: NodeSetting) -> None:
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="local-node")
        self.ground = Ground(setting, self.pool, Layout(setting.data.absolute()))
        self.fence = Fence(self.ground.layout.fences)
        self.supervisor = Supervisor(self.ground.layout.data, setting.run.absolute(), self.pool)

    async def start(self) -> None:
        """Run the supervisor, and with it the instances that it knows, unless it runs."""
        self.supervisor.spot.check()
        self.furnish()
        await self.ground.ready()
        await in_thread(self.pool, self.stand)
        await self.supervisor.ensure()

    async def prepare(self) -> None:
        """Fetch what all gears share; quick when it is there."""
        self.furnish()
        await in_thread(self.pool, shared.prepare, self.ground.layout)

    async def shutdown(self) -> None:
        """Stop every gear and the supervisor; leaves no process, mount, namespace or rule.

        Every file stays.
        """
        await self.supervisor.shutdown()
        await self.strike()

    async def strike(self) -> list[str]:
        """Take away what gears have beside their files, while none runs; what that was."""
        self.ground.sandbox = None  # whoever makes a gear after this must look again
        return await in_thread(self.pool, leftovers.strike, self.ground)

    def stand(self) -> None:
        """Let every gear have what a reboot, or `down`, has taken."""
        self.ground.settle()
        there = homes.housed(self.ground)
        for gear in there:
            homes.check_address(self.ground, gear)
        for gear in there:
            try:
                homes.stand(self.ground, gear)
            except (WindlassError, OSError) as error:  # its own trouble; whoever enters tries again
                log.warning("gear.does_not_stand", gear=gear.id, why=str(error))

    async def create(self, gear: Gear, by: Lease) -> Place:
        """See Node."""
        async with self.hold(gear.id, by):
            await self.ground.ready()
            return await in_thread(self.pool, homes.make, self.ground, gear)

    async def remove(self, gear: GearId, by: Lease) -> None:
        """See Node."""
        async with self.hold(gear, by) as held:
            home = self.ground.home(gear)
            # Without this record the gear is half-made, until it is gone or made again.
            home.place.unlink(missing_ok=True)
            await stop_but(held, self.ground, self.supervisor, but=())
            await in_thread(self.pool, homes.fall, self.ground, gear)
            await homes.delete(held, home.folder)

    async def install(self, gear: Gear, cartridge: Cartridge, by: Lease) -> None:
        """See Node."""
        async with self.enter(gear, by) as (held, gate):
            await homes.install(held, gate, cartridge)

    async def uninstall(self, gear: Gear, cartridge: Cartridge, by: Lease) -> None:
        """See Node."""
        async with self.hold(gear.id, by) as held:
            await homes.delete(held, self.ground.home(gear.id).cartridge(cartridge.name))

    async def publish(self, gear: Gear, variables: Mapping[str, str], by: Lease) -> None:
        """See Node."""
        async with self.enter(gear, by) as (_, gate):
            await in_thread(self.pool, homes.publish, gate.home, dict(variables))

    async def build(
        self, gear: Gear, cartridge: Cartridge, release: ReleaseId, source: Path | None, by: Lease
    ) -> None:
        """See Node."""
        async with self.enter(gear, by) as (held, gate):
            await builds.build(held, gate, cartridge, release, source)

    async def copy(self, gear: Gear, release: ReleaseId, source: GearId, by: Lease) -> None:
        """See Node."""
        async with self.enter(gear, by) as (held, gate):
            await builds.copy(held, gate, release, self.ground.home(source))

    async def keep(self, gear: Gear, releases: Collection[ReleaseId], by: Lease) -> None:
        """See Node."""
        async with self.hold(gear.id, by) as held:
            await builds.keep(held, self.ground.home(gear.id), releases)

    async def activate(self, gear: Gear, release: ReleaseId | None, by: Lease) -> None:
        """See Node."""
        async with self.hold(gear.id, by):
            builds.activate(self.ground.home(gear.id), release)

    async def serve(
        self, gear: Gear, cartridge: Cartridge, instances: Collection[Instance], by: Lease
    ) -> None:
        """See Node."""
        if not instances:
            return await self.stop(gear.id, by)
        async with self.enter(gear, by) as (held, gate):
            await serve_all(held, gate, self.supervisor, cartridge, instances)

    async def control(self, gear: Gear, cartridge: Cartridge, action: Action, by: Lease) -> str:
        """See Node."""
        async with self.hold(gear.id, by) as held:
            if self.ground.place(self.ground.home(gear.id)) is None:
                raise Refused(f"there is no gear {gear.id} on this node")
            return await actions.control(held, self.ground, self.supervisor, cartridge, action)

    async def stop(self, gear: GearId, by: Lease) -> None:
        """No instance runs, also where there is no gear."""
        async with self.hold(gear, by) as held:
            await stop_but(held, self.ground, self.supervisor, but=())

    async def observe(self, gear: GearId, *, patience: float = 0.0) -> GearReport:
        """See Node."""
        return await reports.observe(self.ground, self.supervisor, gear, patience)

    async def gears(self) -> set[GearId]:
        """See Node."""
        folder = self.ground.layout.gears
        return {GearId(path.name) for path in folder.iterdir()} if folder.is_dir() else set()

    async def over(self) -> set[GearId]:
        """See Node."""
        return await in_thread(self.pool, self.filled)

    def filled(self) -> set[GearId]:
        """The gears that use more of a shared disk than their size."""
        if self.ground.apart("disk") or not self.ground.layout.gears.is_dir():
            return set()
        there = homes.housed(self.ground)
        full = (one for one in there if disks.over(self.ground.home(one.id), one.size))
        return {one.id for one in full}

    async def sweep(self) -> list[str]:
        """See Node."""
        self.furnish()
        return await in_thread(self.pool, leftovers.sweep, self.ground)

    async def isolation(self) -> tuple[Aspect, ...]:
        """See Node."""
        return isolation.aspects(self.ground)

    async def close(self) -> None:
        """See Node."""
        await asyncio.to_thread(self.pool.shutdown)

    def furnish(self) -> None:
        """The node's own folders."""
        layout = self.ground.layout
        layout.data.mkdir(parents=True, exist_ok=True)
        for folder in (layout.gears, layout.fences, layout.shared):
            folder.mkdir(exist_ok=True)
        layout.fences.chmod(0o700)

    @asynccontextmanager
    async def hold(self, gear: GearId, by: Lease) -> AsyncIterator[Held]:
        """The gear alone, for a call with this lease."""
        self.furnish()
        async with self.fence.hold(gear, by) as held:
            yield held

    @asynccontextmanager
    async def enter(self, gear: Gear, by: Lease) -> AsyncIterator[tuple[Held, Gate]]:
        """The gear alone, and the way into it; Refused where it was not made."""
        async with self.hold(gear.id, by) as held:
            place = self.ground.place(self.ground.home(gear.id))
            if place is None:
                raise Refused(f"there is no gear {gear.id} on this node")
            await self.ground.ready()
            self.ground.expect()
            await in_thread(self.pool, homes.stand, self.ground, gear)
            with disks.room(self.ground.home(gear.id), gear.size):
                yield held, Gate(self.ground, gear, place)
