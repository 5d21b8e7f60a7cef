"""The line: who may run, decided under the lock of the scopes' roots.

Lock in one statement, read in the next: a statement that does both sees what was there before it
waited, and leaves a waiter for ever. `entry.entering` does both, and compares places.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Text, bindparam, case, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.engine.job import IN_LINE, Phase
from windlass.engine.lease import JobId
from windlass.engine.queue import Nudge
from windlass.engine.scope import Scope, blockers
from windlass.errors import TooMany
from windlass.store.connection import Connection
from windlass.store.prepared import Prepared
from windlass.store.tables import jobs, roots, scopes

LIVE = 100  # jobs in one root's line; the next is refused


@dataclass(frozen=True)
class Placed:
    """A job in line."""

    job: JobId
    place: int
    phase: Phase
    final: bool
    kind: str
    scope: Scope


TAKE = (
    upsert(roots)
    .values(path=bindparam("path", type_=Text), place=1)
    .on_conflict_do_update(index_elements=[roots.c.path], set_={"place": roots.c.place + 1})
    .returning(roots.c.place)
)
TAKE_PLACE = Prepared(TAKE)


async def lock(connection: Connection, paths: Collection[str]) -> int:
    """Lock the lines of these roots (in one sorted order) and take the next place in them."""
    ordered = sorted(paths)
    places = [(await connection.fetch(TAKE_PLACE, {"path": path}))[0][0] for path in ordered]
    place: int = max(places, default=0)
    if len(set(places)) > 1:  # one number for all, higher than any of them gave before
        await connection.execute(update(roots).where(roots.c.path.in_(ordered)).values(place=place))
    return place


async def read(connection: Connection, paths: Collection[str]) -> list[Placed]:
    """The jobs in line at these roots, in order; with all their paths, at other roots too."""
    ordered = sorted(paths)
    values = {f"root{number}": path for number, path in enumerate(ordered)}
    return placed(await connection.fetch(reading(len(ordered)), values)) if ordered else []


@cache
def reading(count: int) -> Prepared:
    """The jobs in line at so many roots, a row for each of their paths."""
    here = scopes.alias()
    standing = here.c.root.in_([bindparam(f"root{number}") for number in range(count)])
    columns = (scopes.c.job, scopes.c.path, scopes.c.exclusive)
    of_jobs = (jobs.c.place, jobs.c.phase, jobs.c.final, jobs.c.kind)
    return Prepared(
        select(*columns, *of_jobs)
        .join(jobs, jobs.c.id == scopes.c.job)
        .where(scopes.c.job.in_(select(here.c.job).where(standing)))
    )


def placed(rows: Iterable[Sequence[Any]]) -> list[Placed]:
    """Rows of `reading`, put together by job and sorted by place."""
    paths: dict[JobId, list[tuple[str, bool]]] = {}
    told: dict[JobId, Sequence[Any]] = {}
    for job, path, exclusive, *of_job in rows:
        paths.setdefault(job, []).append((path, bool(exclusive)))
        told[job] = of_job
    line = [
        Placed(job, place, Phase(phase), bool(final), kind, Scope.of(paths[job]))
        for job, (place, phase, final, kind) in told.items()
    ]
    return sorted(line, key=lambda one: (one.place, one.job))


def waits(scope: Scope, before: Iterable[Placed]) -> list[JobId]:
    """Those in line that a job must wait for."""
    return blockers(scope, ((one.job, one.scope) for one in before))


def check_room(line: Collection[Placed]) -> None:
    """TooMany if a line is as long as it may be."""
    if len(line) >= LIVE:
        raise TooMany(f"{len(line)} jobs wait for the same thing; ask again when some have ended")


STAND = Prepared(insert(scopes))


async def join(connection: Connection, job: JobId, scope: Scope) -> None:
    """Stand in line."""
    rows = [
        {"job": job, "path": path, "root": path.partition("/")[0], "exclusive": exclusive}
        for path, exclusive in scope.rows()
    ]
    if rows:
        await connection.run_all(STAND, rows)


async def await_them(
    connection: Connection, blocking: Collection[JobId], priority: int | None = None
) -> list[JobId]:
    """Somebody waits for these: their ends must look who. Those that are still in line.

    Whoever waits lends them his priority, if it is the more urgent one.

    A job that ends in a flush does so without our lock; it is over by the time we get its row,
    or the flush finds it awaited and leaves it to a settle, which waits for our lock.
    """
    if not blocking:
        return []
    own = jobs.c.priority
    urgent = own if priority is None else case((own > priority, priority), else_=own)
    rows = await connection.execute(
        update(jobs)
        .where(jobs.c.id.in_(sorted(blocking)), jobs.c.phase.in_(IN_LINE))
        .values(awaited=True, priority=urgent)
        .returning(jobs.c.id)
    )
    return [JobId(id) for id in rows.scalars()]


async def leave(connection: Connection, job: JobId) -> None:
    """Stand in line no more."""
    await connection.execute(delete(scopes).where(scopes.c.job == job))


async def advance(connection: Connection, paths: Collection[str]) -> list[Nudge]:
    """Let everybody run who waits at these (locked) roots and need not wait any more.

    A waiter may stand at roots that are not locked here: its row is, before its whole line is
    read, so that of two who end at once the later one sees both.
    """
    if not paths:
        return []
    standing = select(scopes.c.job).where(scopes.c.root.in_(sorted(paths)))
    found = await connection.execute(
        select(jobs.c.id, jobs.c.tube, jobs.c.priority)
        .where(jobs.c.id.in_(standing), jobs.c.phase == Phase.WAITING)
        .order_by(jobs.c.id)
        .with_for_update()
    )
    waiting = {JobId(row.id): row for row in found}
    if not waiting:
        return []
    everywhere = await connection.execute(
        select(scopes.c.root).where(scopes.c.job.in_(waiting)).distinct()
    )
    line = await read(connection, everywhere.scalars().all())
    free = [
        one.job
        for place, one in enumerate(line)
        if one.job in waiting and not waits(one.scope, line[:place])
    ]
    return await make_ready(connection, [waiting[job] for job in free])


async def make_ready(connection: Connection, rows: Collection[Any]) -> list[Nudge]:
    """These may run now."""
    if rows:
        await connection.execute(
            update(jobs)
            .where(jobs.c.id.in_([row.id for row in rows]))
            .values(phase=Phase.READY, claimable=True, due=None)
        )
    return [Nudge(row.tube, JobId(row.id), row.priority) for row in rows]
