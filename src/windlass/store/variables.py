"""Variables that users have set, and changes to them that are set aside for a job.

A job names only a change: what a variable says may be a secret, and what jobs say is seen by many.
"""

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.errors import OverLimit
from windlass.model.ids import AppId, ChangeId
from windlass.model.variables import MOST, Change, Variable
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
        query = select(variables).where(variables.c.application == application)
        async with self.access.read() as connection:
            rows = await connection.execute(query.order_by(variables.c.name))
            return [Variable(row.name, row.value) for row in rows]

    async def set_aside(self, id: ChangeId, application: AppId, change: Change) -> bool:
        """Keep a change for a job; false if it is kept already."""
        async with self.access.write() as connection:
            there = select(func.count()).where(changes.c.id == id)
            if (await connection.execute(there)).scalar_one():
                return False
            rows = [
                {"id": id, "application": application, "name": name, "value": value, "at": now()}
                for name, value in sorted(change.items())
            ]
            await connection.execute(insert(changes), rows)
            return True

    async def is_kept(self, id: ChangeId) -> bool:
        """Whether a change is still there."""
        async with self.access.read() as connection:
            there = select(func.count()).where(changes.c.id == id)
            return bool((await connection.execute(there)).scalar_one())

    async def forget(self, id: ChangeId) -> None:
        """A change is done, or never will be."""
        async with self.access.write() as connection:
            await connection.execute(delete(changes).where(changes.c.id == id))

    async def apply(self, id: ChangeId) -> None:
        """Make a change, and keep beside it what was before; once, however often it is said."""
        async with self.access.write() as connection:
            for row in (await connection.execute(of(id).where(~changes.c.applied))).all():
                here = (variables.c.application == row.application) & (variables.c.name == row.name)
                before = await connection.execute(select(variables.c.value).where(here))
                mine = (changes.c.id == id) & (changes.c.name == row.name)
                kept = {"before": before.scalar_one_or_none(), "applied": True}
                await connection.execute(update(changes).where(mine).values(**kept))
                await put(connection, AppId(row.application), row.name, row.value)
            await check_room(connection, id)

    async def revert(self, id: ChangeId) -> None:
        """What was before a change is again, if the change was made."""
        async with self.access.write() as connection:
            for row in (await connection.execute(of(id).where(changes.c.applied))).all():
                await put(connection, AppId(row.application), row.name, row.before)
            back = update(changes).where(changes.c.id == id)
            await connection.execute(back.values(applied=False, before=None))

    async def sweep(self, keep: set[str], older: float) -> None:
        """Forget changes of before this time that no job names any more."""
        async with self.access.write() as connection:
            gone = (changes.c.at < older) & changes.c.id.not_in(keep)
            await connection.execute(delete(changes).where(gone))


def of(id: ChangeId):  # type: ignore[no-untyped-def]
    """A change's rows, which nobody else changes meanwhile."""
    return select(changes).where(changes.c.id == id).order_by(changes.c.name).with_for_update()


async def put(connection: Connection, application: AppId, name: str, value: str | None) -> None:
    """A variable says this, or is not there."""
    if value is None:
        here = (variables.c.application == application) & (variables.c.name == name)
        await connection.execute(delete(variables).where(here))
        return
    row = upsert(variables).values(application=application, name=name, value=value)
    key = [variables.c.application, variables.c.name]
    await connection.execute(row.on_conflict_do_update(index_elements=key, set_={"value": value}))


async def check_room(connection: Connection, id: ChangeId) -> None:
    """OverLimit if the application has more variables now than it may."""
    mine = select(changes.c.application).where(changes.c.id == id).limit(1).scalar_subquery()
    count = select(func.count()).where(variables.c.application == mine)
    have = (await connection.execute(count)).scalar_one()
    if have > MOST:
        raise OverLimit(f"that would be {have} variables, and {MOST} are allowed", code=186)
