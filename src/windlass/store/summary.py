"""Counts, names and newest numbers, many at once: what is shown beside the records."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select

from windlass.engine.lease import JobId
from windlass.store.access import Access
from windlass.store.connection import Connection
from windlass.store.intents import CANCEL
from windlass.store.tables import (
    applications,
    domains,
    events,
    gears,
    intents,
    jobs,
    releases,
    routes,
    users,
    workers,
)

Pulse = tuple[Any, ...]  # equal as long as nothing was told of a job


class Summary:
    """Reads for those who only look."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def applications(self, domain: str) -> int:
        """How many applications a domain has."""
        query = select(func.count()).select_from(applications)
        async with self.access.read() as connection:
            return await number(connection, query.where(applications.c.domain == domain))

    async def workers(self) -> int:
        """How many workers are enlisted."""
        async with self.access.read() as connection:
            return await number(connection, select(func.count()).select_from(workers))

    async def under_way(self, of: Collection[str]) -> dict[str, int]:
        """The oldest job under way on each of these applications."""
        which = jobs.c.application.in_(list(of)) & jobs.c.ended.is_(None)
        return await self.pairs(jobs.c.application, func.min(jobs.c.id), which, grouped=True)

    async def gears(self, of: Collection[str]) -> dict[str, int]:
        """How many gears each of these applications has."""
        which = gears.c.application.in_(list(of))
        return await self.pairs(gears.c.application, func.count(), which, grouped=True)

    async def aliases(self, of: Collection[str]) -> dict[str, list[str]]:
        """The aliases of each of these applications that has any."""
        query = select(routes.c.application, routes.c.host).order_by(routes.c.host)
        found: dict[str, list[str]] = {}
        async with self.access.read() as connection:
            which = query.where(routes.c.application.in_(list(of)), routes.c.alias)
            for row in await connection.execute(which):
                found.setdefault(row.application, []).append(row.host)
        return found

    async def numbers(self, of: Collection[str]) -> dict[str, int]:
        """The numbers of these releases."""
        return await self.pairs(releases.c.id, releases.c.number, releases.c.id.in_(list(of)))

    async def logins(self, of: Collection[str]) -> dict[str, str]:
        """The logins of these users."""
        return await self.pairs(users.c.id, users.c.login, users.c.id.in_(list(of)))

    async def present(self, of: Collection[str]) -> dict[str, tuple[str, str]]:
        """The names, of domain and application, of those of these that are still there."""
        query = select(applications.c.id, domains.c.name.label("domain"), applications.c.name)
        there = query.join(domains, domains.c.id == applications.c.domain)
        async with self.access.read() as connection:
            rows = await connection.execute(there.where(applications.c.id.in_(list(of))))
            return {row.id: (row.domain, row.name) for row in rows}

    async def pairs(
        self,
        key: ColumnElement[Any],
        value: ColumnElement[Any],
        which: ColumnElement[bool],
        *,
        grouped: bool = False,
    ) -> dict[Any, Any]:
        """Two columns as a dictionary."""
        query = select(key.label("key"), value.label("value")).where(which)
        async with self.access.read() as connection:
            rows = await connection.execute(query.group_by(key) if grouped else query)
            return {row.key: row.value for row in rows}

    async def pulses(self, of: Collection[JobId]) -> dict[JobId, Pulse]:
        """For each of these jobs, what is another thing as soon as something is told of it."""
        newest = select(func.max(events.c.number)).where(events.c.job == jobs.c.id)
        stopped = exists().where(intents.c.job == jobs.c.id, intents.c.kind == CANCEL)
        query = select(
            jobs.c.id,
            jobs.c.phase,
            jobs.c.due,
            jobs.c.started,
            jobs.c.ended,
            jobs.c.retried_by,
            newest.scalar_subquery().label("newest"),
            stopped.label("stopped"),
        ).where(jobs.c.id.in_(list(of)))
        async with self.access.read() as connection:
            return {JobId(row.id): tuple(row) for row in await connection.execute(query)}


async def number(connection: Connection, query: Any) -> int:
    """The single number of a query."""
    return int((await connection.execute(query)).scalar_one())
