"""Counters: what has happened how often, in all processes and in spite of all pruning."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.store.connection import Connection
from windlass.store.tables import counters

BURIED = "buried"  # a job was set aside
ROUTES = "routes"  # routers have got something new to read: the routes' version
FAILING = "failing"  # an operation on a target has failed so often that somebody should look


async def count(connection: Connection, name: str, kind: str = "") -> None:
    """Once more, for a kind of operation; late in a transaction: others may wait for the row."""
    row = upsert(counters).values(name=name, kind=kind, times=1)
    once_more = {"times": counters.c.times + 1}
    await connection.execute(
        row.on_conflict_do_update(index_elements=[counters.c.name, counters.c.kind], set_=once_more)
    )


async def times(connection: Connection, name: str, kind: str = "") -> int:
    """How often, as far as this transaction can see."""
    query = select(counters.c.times).where(counters.c.name == name, counters.c.kind == kind)
    return (await connection.execute(query)).scalar() or 0
