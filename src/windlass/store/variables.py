"""Variables that users have set, and changes to them that are set aside for a job.

A job names only a change: what a variable says may be a secret, and what jobs say is seen by many.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from windlass.errors import NotFound
from windlass.model.ids import AppId, ChangeId
from windlass.model.variables import Change, Variable, changed
from windlass.store.access import Access
from windlass.store.connection import Connection
from windlass.store.database import now
from windlass.store.tables import changes, variables


class Variables:
    """What users tell their applications."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def all(self, application: AppId) -> list[Variable]:
        """The variables of an application, by name."""
        async with self.access.read() as connection:
            return await of_application(connection, application)

    async def set_aside(self, id: ChangeId, application: AppId, change: Change) -> bool:
        """Keep a change for a job; false if it is kept already."""
        rows = [
            {"id": id, "application": application, "name": name, "value": value, "at": now()}
            for name, value in sorted(change.items())
        ]
        # Who has the first row has all of them: they come and go together.
        first = upsert(changes).values(**rows[0]).on_conflict_do_nothing().returning(changes.c.id)
        try:
            async with self.access.write() as connection:
                if (await connection.execute(first)).first() is None:
                    return False
                if rows[1:]:
                    await connection.execute(insert(changes).values(rows[1:]))
                return True
        except IntegrityError as error:  # it was deleted since somebody looked
            raise NotFound("there is no such application any more", code=101) from error

    async def kept(self, id: ChangeId) -> dict[str, str | None]:
        """A change that is still there; nothing if it is not."""
        async with self.access.read() as connection:
            rows = await connection.execute(of(id))
            return {row.name: row.value for row in rows}

    async def forget(self, id: ChangeId) -> None:
        """A change is done, or never will be."""
        async with self.access.write() as connection:
            await connection.execute(delete(changes).where(changes.c.id == id))

    async def apply(self, id: ChangeId, application: AppId) -> None:
        """Make a change, and keep beside it what was before; once, however often it is said."""
        async with self.access.write() as connection:
            new = of(id).where(~changes.c.applied)
            change = {row.name: row.value for row in await connection.execute(new)}
            there = await of_application(connection, application)
            before = {one.name: one.value for one in there}
            changed(before, change)
            for name, value in change.items():
                mine = (changes.c.id == id) & (changes.c.name == name)
                kept = {"before": before.get(name), "applied": True}
                await connection.execute(update(changes).where(mine).values(**kept))
                await put(connection, application, name, value)

    async def revert(self, id: ChangeId, application: AppId) -> None:
        """What was before a change is again, if the change was made."""
        async with self.access.write() as connection:
            made = await connection.execute(of(id).where(changes.c.applied))
            for row in made.all():
                await put(connection, application, row.name, row.before)
            back = update(changes).where(changes.c.id == id)
            await connection.execute(back.values(applied=False, before=None))

    async def sweep(self, keep: Collection[str], age: float) -> int:
        """Forget changes of so many seconds ago that no job names any more; how many rows."""
        gone = (changes.c.at < now() - age) & changes.c.id.not_in(keep)
        async with self.access.write() as connection:
            rows = await connection.execute(delete(changes).where(gone).returning(changes.c.name))
            return len(rows.all())


def of(id: ChangeId) -> Select[Any]:
    """A change's rows; only its job, which works on nothing else, changes them."""
    return select(changes).where(changes.c.id == id).order_by(changes.c.name)


async def of_application(connection: Connection, id: AppId) -> list[Variable]:
    """The variables of an application, by name."""
    query = select(variables).where(variables.c.application == id).order_by(variables.c.name)
    return [Variable(row.name, row.value) for row in await connection.execute(query)]


async def put(connection: Connection, application: AppId, name: str, value: str | None) -> None:
    """A variable says this, or is not there."""
    if value is None:
        here = (variables.c.application == application) & (variables.c.name == name)
        await connection.execute(delete(variables).where(here))
        return
    row = upsert(variables).values(application=application, name=name, value=value)
    key = [variables.c.application, variables.c.name]
    await connection.execute(row.on_conflict_do_update(index_elements=key, set_={"value": value}))
