"""Routes: which host name leads where."""

import os
import socket

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.model.ids import AppId, RouterId
from windlass.model.routes import Route, Snapshot
from windlass.store.access import Access
from windlass.store.bell import Bell
from windlass.store.database import Database
from windlass.store.routers import Routers, raise_version, version_of
from windlass.store.tables import applications, gears, instances, routes


class Routing:
    """Host names of applications."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def open(self, host: str, application: AppId, *, alias: bool = False) -> None:
        """A host name leads to an application; an alias is one that its user has chosen."""
        row = upsert(routes).values(host=host, application=application, alias=alias)
        async with self.access.write() as connection:
            await connection.execute(row.on_conflict_do_nothing())
            await raise_version(connection)

    async def close(self, host: str) -> None:
        """A host name leads nowhere."""
        async with self.access.write() as connection:
            await connection.execute(delete(routes).where(routes.c.host == host))
            await raise_version(connection)

    async def hosts(self, application: AppId) -> list[str]:
        """The host names of an application."""
        query = select(routes.c.host).where(routes.c.application == application)
        async with self.access.read() as connection:
            return list((await connection.execute(query.order_by(routes.c.host))).scalars())

    async def aliases(self, application: AppId) -> list[str]:
        """The aliases of an application."""
        mine = (routes.c.application == application) & routes.c.alias
        async with self.access.read() as connection:
            found = await connection.execute(select(routes.c.host).where(mine))
            return sorted(found.scalars())

    async def all(self) -> list[Route]:
        """Every route there is, with the addresses that answer."""
        query = (
            select(routes.c.host, applications.c.name, instances.c.address)
            .join(applications, applications.c.id == routes.c.application)
            .outerjoin(gears, gears.c.application == applications.c.id)
            .outerjoin(
                instances,
                (instances.c.gear == gears.c.id)
                & instances.c.routed
                & instances.c.address.is_not(None),
            )
            .order_by(routes.c.host, instances.c.id)
        )
        found: dict[str, tuple[str, list[str]]] = {}
        async with self.access.read() as connection:
            for row in await connection.execute(query):
                _, addresses = found.setdefault(row.host, (row.name, []))
                if row.address is not None:
                    addresses.append(row.address)
        return [Route(host, name, tuple(where)) for host, (name, where) in found.items()]


class StoredRoutes:
    """What a router reads, and where it says that it lives, on a datastore of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.routers = Routers(Access(database))
        self.bell: Bell | None = None

    async def all(self, known: int | None) -> Snapshot | None:
        """Every route there is, if `known` is not their version: most writes are no routes'."""
        async with self.database.read() as connection:
            version = await version_of(connection)
            if version == known:
                return None
            routing = Routing(Access(self.database, inside=connection))
            return Snapshot(version, tuple(await routing.all()))

    async def changed(self, patience: float) -> None:
        """Return when something was written, at the latest after `patience` seconds."""
        if self.bell is None:
            self.bell = Bell(self.database)
            self.database.rung.add(self.bell.here)
        await self.bell.wait(patience)

    async def enter(self, router: RouterId) -> None:
        """A router begins."""
        await self.routers.enter(router, socket.gethostname(), os.getpid())

    async def beat(self, router: RouterId, serves: int, *, quiet: bool) -> dict[RouterId, int]:
        """It lives, and serves this version."""
        return await self.routers.beat(router, serves, quiet=quiet)

    async def strike(self, router: RouterId) -> None:
        """A router is gone."""
        await self.routers.strike(router)

    async def close(self) -> None:
        """Let go of the datastore."""
        await self.database.close()
