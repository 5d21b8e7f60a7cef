"""Domains: rows and records."""

from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from windlass.engine.operation import Hold
from windlass.errors import Conflict, Taken
from windlass.model.accounts import User
from windlass.model.applications import Domain
from windlass.model.ids import DomainId, UserId, domain_id
from windlass.store import line
from windlass.store.access import Access
from windlass.store.database import now
from windlass.store.holding import hold
from windlass.store.query import Query
from windlass.store.tables import applications, domains, holds

DOMAIN = Query(select(domains).where(domains.c.id == bindparam("id")))
CALLED = Query(select(domains).where(domains.c.name == bindparam("name")))


class Domains:
    """Namespaces of applications."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def add(self, name: str, owner: User) -> Domain:
        """A new domain, which hangs on its hold; Taken or OverLimit where it cannot be."""
        id = domain_id()
        called = Hold.name("domain", name, id)
        share = Hold.quota("domains", id, owner.id, owner.most_domains, code=103)
        row = insert(domains).values(
            id=id, hold=called.key, name=name, owner=owner.id, created=now()
        )
        try:
            async with self.access.write() as connection:
                await hold(connection, None, [called, share])
                return domain_of((await connection.execute(row.returning(domains))).one())
        except Taken:
            raise Taken(f"somebody has the domain {name}", field="name", code=103) from None

    async def find(self, name: str) -> Domain | None:
        """A domain by name."""
        async with self.access.read() as connection:
            row = await CALLED.first(connection, name=name)
        return domain_of(row) if row else None

    async def get(self, id: DomainId) -> Domain | None:
        """A domain by id."""
        async with self.access.read() as connection:
            row = await DOMAIN.first(connection, id=id)
        return domain_of(row) if row else None

    async def page(self, owner: UserId | None, after: str, limit: int) -> list[tuple[Domain, int]]:
        """Domains by name, each with how many applications it has."""
        count = (
            select(func.count())
            .where(applications.c.domain == domains.c.id)
            .scalar_subquery()
            .label("applications")
        )
        query = select(domains, count).where(domains.c.name > after)
        if owner is not None:
            query = query.where(domains.c.owner == owner)
        async with self.access.read() as connection:
            rows = await connection.execute(query.order_by(domains.c.name).limit(limit))
            return [(domain_of(row), row.applications) for row in rows]

    async def call(self, id: DomainId, name: str) -> None:
        """A domain has this name."""
        async with self.access.write() as connection:
            await connection.execute(update(domains).where(domains.c.id == id).values(name=name))

    async def hang(self, id: DomainId, key: str, *, instead_of: str) -> None:
        """A domain hangs on this hold, and the other one is given up."""
        async with self.access.write() as connection:
            await connection.execute(update(domains).where(domains.c.id == id).values(hold=key))
            mine = (holds.c.resource == id) & (holds.c.key == instead_of)
            await connection.execute(delete(holds).where(mine))

    async def remove(self, domain: Domain) -> None:
        """Delete an empty domain; Conflict while it has applications."""
        async with self.access.write() as connection:
            await line.lock(connection, [domain.id])
            held = select(func.count()).where(applications.c.domain == domain.id)
            count = (await connection.execute(held)).scalar_one()
            if count:
                raise Conflict(
                    f"domain {domain.name} has {count} applications; delete them first", code=128
                )
            await connection.execute(delete(holds).where(holds.c.resource == domain.id))


def domain_of(row: Any) -> Domain:
    """A domain from its row."""
    return Domain(DomainId(row.id), row.name, UserId(row.owner), row.created)
