"""Delayed jobs: they are in nobody's way, but whoever takes away what they are about finds them.

Until a job is due its scope's rows stand at roots of their own beside the lines: no line is the
longer for them, and what is delayed at a root is found without looking through all that is delayed.
"""

from collections.abc import Iterable

from sqlalchemy import insert

from windlass.engine.lease import JobId
from windlass.engine.scope import Scope
from windlass.store import line
from windlass.store.connection import Connection
from windlass.store.line import Placed
from windlass.store.tables import scopes


async def stand_by(connection: Connection, job: JobId, scope: Scope) -> None:
    """Stand beside the lines; their roots are locked."""
    rows = [
        {"job": job, "path": path, "root": beside(path), "exclusive": exclusive}
        for path, exclusive in scope.rows()
    ]
    if rows:
        await connection.execute(insert(scopes), rows)


async def standing_by(connection: Connection, roots: Iterable[str]) -> list[Placed]:
    """The delayed jobs at these (locked) roots."""
    return await line.read(connection, [beside(root) for root in roots])


def beside(path: str) -> str:
    """Where the delayed jobs of a path's line stand."""
    return "delayed:" + path.partition("/")[0]
