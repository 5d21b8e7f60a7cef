"""Applications, their releases and secrets: rows and records."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.model.applications import Application, AppState
from windlass.model.ids import AppId, DomainId, ReleaseId, UserId
from windlass.store.access import Access
from windlass.store.database import now
from windlass.store.query import Query
from windlass.store.tables import applications, domains, holds, releases, secrets

SELECT = (
    select(applications, domains.c.name.label("domain_name"), domains.c.owner, holds.c.job)
    .join(domains, domains.c.id == applications.c.domain)
    .join(holds, holds.c.key == applications.c.hold)
)
APPLICATION = Query(SELECT.where(applications.c.id == bindparam("id")))
CALLED = Query(
    SELECT.where(
        applications.c.domain == bindparam("domain"), applications.c.name == bindparam("name")
    )
)


@dataclass(frozen=True)
class Release:
    """A release of an application, numbered from 1."""

    id: ReleaseId
    number: int
    created: float


class Applications:
    """What users push."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def add(
        self, id: AppId, hold: str, domain: DomainId, name: str, cartridge: str, size: str = "small"
    ) -> None:
        """An application that is being created; it hangs on the creation's hold."""
        row = {
            "id": id,
            "hold": hold,
            "domain": domain,
            "name": name,
            "cartridge": cartridge,
            "size": size,
            "state": AppState.CREATING,
            "created": now(),
        }
        async with self.access.write() as connection:
            await connection.execute(insert(applications).values(row))

    async def get(self, id: AppId) -> Application | None:
        """An application by id."""
        async with self.access.read() as connection:
            row = await APPLICATION.first(connection, id=id)
        return application_of(row) if row else None

    async def find(self, domain: DomainId, name: str) -> Application | None:
        """An application by name."""
        async with self.access.read() as connection:
            row = await CALLED.first(connection, domain=domain, name=name)
        return application_of(row) if row else None

    async def page(
        self, owner: UserId | None, domain: DomainId | None, after: tuple[str, str], limit: int
    ) -> list[Application]:
        """Applications by domain's name and their own."""
        name, of = applications.c.name, domains.c.name
        query = SELECT.where((of > after[0]) | ((of == after[0]) & (name > after[1])))
        if owner is not None:
            query = query.where(domains.c.owner == owner)
        if domain is not None:
            query = query.where(applications.c.domain == domain)
        async with self.access.read() as connection:
            rows = await connection.execute(query.order_by(of, name).limit(limit))
            return [application_of(row) for row in rows]

    async def note(self, id: AppId, **values: Any) -> None:
        """Set columns of an application: state, leaving, release, bounds."""
        async with self.access.write() as connection:
            await connection.execute(
                update(applications).where(applications.c.id == id).values(**values)
            )

    async def forget(self, id: AppId) -> None:
        """Give up everything that it holds; its rows go with that."""
        async with self.access.write() as connection:
            await connection.execute(delete(holds).where(holds.c.resource == id))

    async def give_up(self, id: AppId, key: str) -> None:
        """Give up one thing that it holds."""
        mine = (holds.c.resource == id) & (holds.c.key == key)
        async with self.access.write() as connection:
            await connection.execute(delete(holds).where(mine))

    async def of_domain(self, domain: DomainId) -> list[Application]:
        """Every application of a domain."""
        query = SELECT.where(applications.c.domain == domain).order_by(applications.c.id)
        async with self.access.read() as connection:
            return [application_of(row) for row in await connection.execute(query)]

    # -- releases and secrets --------------------------------------------------------------

    async def add_release(self, application: AppId, id: ReleaseId) -> None:
        """A release, numbered after the newest; once, however often it is asked for."""
        async with self.access.write() as connection:
            newest = select(func.coalesce(func.max(releases.c.number), 0)).where(
                releases.c.application == application
            )
            number = (await connection.execute(newest)).scalar_one() + 1
            row = upsert(releases).values(
                id=id,
                application=application,
                number=number,
                created=now(),
            )
            await connection.execute(row.on_conflict_do_nothing(index_elements=[releases.c.id]))

    async def releases(self, application: AppId) -> list[Release]:
        """The releases of an application, newest first."""
        query = select(releases).where(releases.c.application == application)
        async with self.access.read() as connection:
            rows = await connection.execute(query.order_by(releases.c.number.desc()))
            return [Release(ReleaseId(r.id), r.number, r.created) for r in rows]

    async def drop_releases(self, application: AppId, ids: list[ReleaseId]) -> None:
        """Forget releases."""
        async with self.access.write() as connection:
            await connection.execute(
                delete(releases).where(
                    releases.c.application == application, releases.c.id.in_(ids)
                )
            )

    async def keep_secret(self, application: AppId, name: str, value: str) -> str:
        """A secret, made once: the first value stands."""
        async with self.access.write() as connection:
            row = upsert(secrets).values(application=application, name=name, value=value)
            await connection.execute(row.on_conflict_do_nothing())
            which = (secrets.c.application == application) & (secrets.c.name == name)
            found = await connection.execute(select(secrets.c.value).where(which))
            return str(found.scalar_one())

    async def secrets(self, application: AppId) -> dict[str, str]:
        """Every secret of an application."""
        query = select(secrets.c.name, secrets.c.value)
        async with self.access.read() as connection:
            rows = await connection.execute(query.where(secrets.c.application == application))
            return {row.name: row.value for row in rows}


def application_of(row: Any) -> Application:
    """An application from its row and its domain's."""
    return Application(
        id=AppId(row.id),
        domain=DomainId(row.domain),
        domain_name=row.domain_name,
        owner=UserId(row.owner),
        name=row.name,
        cartridge=row.cartridge,
        state=AppState(row.state),
        maker=row.job,
        leaving=row.leaving,
        release=ReleaseId(row.release) if row.release else None,
        created=row.created,
        size=row.size,
        scales_from=row.scales_from,
        scales_to=row.scales_to,
        health_path=row.health_path,
        health_grace=row.health_grace,
    )
