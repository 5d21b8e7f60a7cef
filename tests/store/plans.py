"""What the datastore means to do for the statements that somebody runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from windlass.store.database import Database


@contextmanager
def overheard(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are run meanwhile, with their values."""
    engine: Any = database.inner.engine
    said: list[tuple[str, Any]] = []

    def hear(_: Any, __: Any, statement: str, values: Any, ___: Any, ____: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            said.append((statement, values))

    engine = getattr(engine, "sync_engine", engine)
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)


async def plan(database: Database, statement: str, values: Any) -> list[str]:
    """How a statement would be run."""
    lite = database.inner.dialect == "sqlite"
    async with database.read() as connection:
        inner: Any = connection.inner  # type: ignore[attr-defined]
        how = "EXPLAIN QUERY PLAN" if lite else "EXPLAIN"
        found = inner.exec_driver_sql(f"{how} {statement}", values)
        return [row[-1] for row in (found if lite else await found)]


def walks(lines: list[str]) -> bool:
    """Whether all jobs, or all events, are gone through, or all of an index for want of a time."""
    return any(
        line.endswith(("SCAN jobs", "SCAN events"))
        or "Seq Scan on jobs" in line
        or "Seq Scan on events" in line
        or ("Filter" in line and "clock_timestamp" in line)
        for line in lines
    )
