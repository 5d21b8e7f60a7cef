"""Gears and the instances in them: rows and records."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Executable, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from windlass.errors import Transient
from windlass.model.gears import Gear, Instance
from windlass.model.ids import AppId, GearId, InstanceId, NodeId, ReleaseId
from windlass.model.sizes import size_of
from windlass.store.access import Access
from windlass.store.connection import Connection
from windlass.store.database import now
from windlass.store.holding import shares
from windlass.store.query import Query
from windlass.store.routers import raise_version
from windlass.store.tables import applications, gears, holds, instances

GEAR = Query(select(gears).where(gears.c.id == bindparam("id")))


@dataclass(frozen=True)
class Housed:
    """A gear and the node that it is on."""

    gear: Gear
    node: NodeId


@dataclass(frozen=True)
class Running:
    """An instance as the broker wants it."""

    id: InstanceId
    gear: GearId
    release: ReleaseId
    wanted: bool
    address: str | None
    routed: bool

    @property
    def instance(self) -> Instance:
        """As its node must know it."""
        return Instance(self.id, self.release)


class Fleet:
    """What runs where."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def take_slot(self, gear: GearId, application: AppId, node: NodeId) -> None:
        """The lowest free slot of a node for a gear; once, however often it is asked for."""
        try:
            async with self.access.write() as connection:
                rows = await connection.execute(
                    select(gears.c.id, gears.c.slot).where(gears.c.node == node)
                )
                taken = {row.id: row.slot for row in rows}
                if gear in taken:
                    return
                slot = next(n for n in range(len(taken) + 1) if n not in set(taken.values()))
                size = select(applications.c.size).where(applications.c.id == application)
                row = {"id": gear, "application": application, "node": node, "slot": slot}
                row |= {"size": size.scalar_subquery(), "created": now()}
                await connection.execute(insert(gears).values(row))
        except IntegrityError as error:
            raise Transient("somebody took the same slot; another try finds the next") from error

    async def give_up_slot(self, gear: GearId) -> None:
        """The gear's row goes, and its instances'."""
        async with self.access.write() as connection:
            await drop(connection, gear)

    async def remove(self, gear: GearId) -> None:
        """The gear's row goes, and its share of its owner's quotas."""
        async with self.access.write() as connection:
            await drop(connection, gear)
            await connection.execute(delete(holds).where(holds.c.key.in_(shares(gear))))

    async def gear(self, id: GearId) -> Housed | None:
        """A gear by id."""
        async with self.access.read() as connection:
            row = await GEAR.first(connection, id=id)
        return housed(row) if row else None

    async def gears(self, application: AppId) -> list[Housed]:
        """The gears of an application, oldest first: the first has every release."""
        query = select(gears).where(gears.c.application == application)
        async with self.access.read() as connection:
            rows = await connection.execute(query.order_by(gears.c.created, gears.c.id))
            return [housed(row) for row in rows]

    async def on_node(self, node: NodeId) -> set[GearId]:
        """The gears that have a row on a node."""
        async with self.access.read() as connection:
            rows = await connection.execute(select(gears.c.id).where(gears.c.node == node))
            return {GearId(id) for id in rows.scalars()}

    async def note_address(self, gear: GearId, address: str) -> None:
        """Where a node has put a gear."""
        async with self.access.write() as connection:
            await connection.execute(
                update(gears).where(gears.c.id == gear).values(address=address)
            )

    # -- instances -------------------------------------------------------------------------

    async def want(self, instance: InstanceId, gear: GearId, release: ReleaseId) -> None:
        """An instance is to run; once, however often it is asked for."""
        row = upsert(instances).values(
            id=instance, gear=gear, release=release, wanted=True, routed=False
        )
        async with self.access.write() as connection:
            await connection.execute(
                row.on_conflict_do_update(index_elements=[instances.c.id], set_={"wanted": True})
            )

    async def unwant(self, ids: list[InstanceId]) -> None:
        """Instances are to stop."""
        async with self.access.write() as connection:
            await connection.execute(
                update(instances).where(instances.c.id.in_(ids)).values(wanted=False)
            )

    async def forget(self, ids: list[InstanceId]) -> None:
        """Instances have stopped."""
        async with self.access.write() as connection:
            gone = delete(instances).where(instances.c.id.in_(ids))
            await told(connection, gone.returning(instances.c.routed))

    async def answers(self, instance: InstanceId, address: str) -> None:
        """Where an instance answers."""
        async with self.access.write() as connection:
            moved = update(instances).where(instances.c.id == instance).values(address=address)
            await told(connection, moved.returning(instances.c.routed))

    async def route(self, application: AppId, to: list[InstanceId]) -> None:
        """The application's traffic goes to exactly these."""
        mine = instances.c.gear.in_(select(gears.c.id).where(gears.c.application == application))
        async with self.access.write() as connection:
            await connection.execute(
                update(instances).where(mine).values(routed=instances.c.id.in_(to))
            )
            await raise_version(connection)

    async def instances(self, application: AppId) -> list[Running]:
        """The instances of an application, oldest first."""
        query = (
            select(instances)
            .join(gears, gears.c.id == instances.c.gear)
            .where(gears.c.application == application)
        )
        async with self.access.read() as connection:
            return [running(row) for row in await connection.execute(query)]

    async def in_gear(self, gear: GearId) -> list[Running]:
        """The instances of a gear."""
        async with self.access.read() as connection:
            query = select(instances).where(instances.c.gear == gear)
            return [running(row) for row in await connection.execute(query)]


async def drop(connection: Connection, gear: GearId) -> None:
    """A gear's row goes, and its instances'."""
    gone = delete(instances).where(instances.c.gear == gear)
    await told(connection, gone.returning(instances.c.routed))
    await connection.execute(delete(gears).where(gears.c.id == gear))


async def told(connection: Connection, change: Executable) -> None:
    """Change instances; of those that have traffic the routers hear."""
    if any((await connection.execute(change)).scalars()):
        await raise_version(connection)


def housed(row: Any) -> Housed:
    """A gear from its row."""
    gear = Gear(GearId(row.id), AppId(row.application), row.slot, size_of(row.size))
    return Housed(gear, NodeId(row.node))


def running(row: Any) -> Running:
    """An instance from its row."""
    return Running(
        InstanceId(row.id),
        GearId(row.gear),
        ReleaseId(row.release),
        row.wanted,
        row.address,
        row.routed,
    )
