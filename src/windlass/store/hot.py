"""The hot statements, claim and flush, on a driver connection of their own.

Each is one statement, one transaction and one round trip; what SQLAlchemy's compiling and a pool's
check-out would add is more than what they cost (docs/decisions/0011). They mean exactly what
`claiming.py` and `ending.py` say in full.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

from windlass.engine.journal import Crew, End, Event
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import LeaseLost
from windlass.store.database import FROZEN, Database, Postgres, translated
from windlass.store.rows import dumps, event_row
from windlass.store.sqlite import Sqlite


@dataclass(frozen=True)
class Entry:
    """What one job wants written: events, and perhaps its end."""

    lease: Lease
    events: Sequence[Event]
    end: End | None = None


Row = tuple[Any, ...]


class Hot(Protocol):
    """Claim and flush on one kind of datastore."""

    async def claim(
        self, crew: Crew, tubes: Sequence[str], room: int, job: JobId | None
    ) -> Sequence[Row]:
        """Rows (id, kind, version, data, lease, crashes) of up to `room` jobs, now ours."""

    async def flush(self, worker: WorkerId, group: Collection[Entry]) -> set[JobId]:
        """Write a group's events, and those ends that nobody must hear of; which jobs these were.

        Of a job whose end must look around (somebody waits, or it has holds) nothing is written.
        """

    async def close(self) -> None:
        """Let go of the connection."""


def hot_of(database: Database) -> Hot:
    """The hot statements of a datastore."""
    inner = database.inner
    return HotSqlite(inner) if isinstance(inner, Sqlite) else HotPostgres(inner)


CLAIM = """
UPDATE jobs SET lease = lease + 1, worker = {worker}, claimable = false, due = NULL,
  phase = CASE phase WHEN 'undoing' THEN phase ELSE 'running' END,
  started = coalesce(started, {now}),
  crashes = CASE WHEN picked.newest > jobs.seen OR lease = 0 THEN 1 ELSE crashes + 1 END,
  seen = picked.newest
FROM picked WHERE jobs.id = picked.id
RETURNING jobs.id, kind, version, data, lease, crashes
"""
PICKED = """
SELECT id, CASE lease WHEN 0 THEN 0 ELSE
  coalesce((SELECT max(number) FROM events WHERE events.job = jobs.id
    AND kind NOT IN ('begun', 'undoing', 'interrupted', 'log')), 0) END AS newest
FROM jobs WHERE claimable AND {which} AND {able} AND EXISTS (SELECT 1 FROM fence)
"""
IN_ORDER = "ORDER BY priority, turn, id LIMIT {room}"

# -- PostgreSQL ----------------------------------------------------------------------------

FENCE = "WITH fence AS (SELECT id FROM workers WHERE id = $1 FOR KEY SHARE)"


def postgres_claim(which: str, order: str) -> str:
    """The claim: who lives picks what nobody else is picking."""
    able = "skill = ANY($2::text[]) AND (machine IS NULL OR machine = ANY($2::text[]))"
    picked = f"{PICKED.format(which=which, able=able)} {order} FOR UPDATE SKIP LOCKED"
    taking = CLAIM.format(worker="$1", now="extract(epoch FROM clock_timestamp())")
    return f"{FENCE}, picked AS ({picked}) {taking}"


CLAIM_ONE_TUBE = postgres_claim("tube = $3", IN_ORDER.format(room="$4"))
CLAIM_TUBES = postgres_claim("tube = ANY($3::text[])", IN_ORDER.format(room="$4"))
CLAIM_JOB = postgres_claim("id = $3", "")

FLUSH = f"""
{FENCE},
ending AS (
  SELECT * FROM unnest($9::bigint[], $10::int[], $11::text[], $12::float8[], $13::text[],
    $14::text[])
    AS e(job, lease, phase, percent, trouble, history)),
ready AS (
  SELECT jobs.id FROM jobs JOIN ending ON jobs.id = ending.job AND jobs.lease = ending.lease
  WHERE jobs.worker = $1 AND NOT jobs.awaited AND EXISTS (SELECT 1 FROM fence)
  FOR UPDATE OF jobs SKIP LOCKED),
told AS (
  INSERT INTO events (job, number, kind, step, lease, at, detail)
  SELECT * FROM unnest(
    $2::bigint[], $3::int[], $4::text[], $5::int[], $6::int[], $7::float8[], $8::text[])
    AS t(job, number, kind, step, lease, at, detail)
  WHERE EXISTS (SELECT 1 FROM fence)
    AND (NOT t.job = ANY($9::bigint[]) OR t.job IN (SELECT id FROM ready))
  ON CONFLICT DO NOTHING),
ended AS (
  UPDATE jobs SET phase = ending.phase, percent = ending.percent, trouble = ending.trouble,
    history = ending.history, worker = NULL, crashes = 0,
    ended = extract(epoch FROM clock_timestamp())
  FROM ready JOIN ending ON ending.job = ready.id WHERE jobs.id = ready.id),
gone AS (DELETE FROM scopes WHERE job IN (SELECT id FROM ready))
SELECT EXISTS (SELECT 1 FROM fence), ARRAY(SELECT id FROM ready)
"""


class HotPostgres:
    """Two connections: a claim never waits behind a flush."""

    def __init__(self, inner: Postgres) -> None:
        self.inner = inner
        self.idle: list[Any] = []

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection of our own; one that broke is not used again."""
        with translated():
            while self.idle and self.idle[-1].is_closed():
                self.idle.pop()
            connection = self.idle.pop() if self.idle else await self.connect()
            try:
                yield connection
            except BaseException:
                connection.terminate()
                raise
            self.idle.append(connection)

    async def connect(self) -> Any:
        """Plans are made once, perhaps on empty tables: they must use the indexes all the same."""
        settings = FROZEN | {"plan_cache_mode": "force_generic_plan", "jit": "off"}
        settings |= dict.fromkeys(("enable_seqscan", "enable_mergejoin", "enable_hashjoin"), "off")
        return await asyncpg.connect(
            self.inner.url, timeout=10, command_timeout=60, server_settings=settings
        )

    async def claim(
        self, crew: Crew, tubes: Sequence[str], room: int, job: JobId | None
    ) -> Sequence[Row]:
        """One statement."""
        able = list(crew.skills)
        async with self.connection() as connection:
            if job is not None:
                rows = await connection.fetch(CLAIM_JOB, crew.id, able, job)
            elif len(tubes) == 1:
                rows = await connection.fetch(CLAIM_ONE_TUBE, crew.id, able, tubes[0], room)
            else:
                rows = await connection.fetch(CLAIM_TUBES, crew.id, able, tubes, room)
            if not rows:
                await check_alive(connection, crew.id)
            return [tuple(row) for row in rows]

    async def flush(self, worker: WorkerId, group: Collection[Entry]) -> set[JobId]:
        """One statement."""
        told = [told_row(event) for entry in group for event in entry.events]
        ends = [end_row(entry) for entry in group if entry.end is not None]
        events = list(zip(*told, strict=True)) if told else [()] * 7
        ending = list(zip(*ends, strict=True)) if ends else [()] * 6
        async with self.connection() as connection:
            row = await connection.fetchrow(FLUSH, worker, *events, *ending)
        if not row[0]:
            raise LeaseLost(f"worker {worker} was declared dead")
        return {JobId(job) for job in row[1]}

    async def close(self) -> None:
        """Close what is idle."""
        for connection in self.idle:
            with contextlib.suppress(OSError, asyncpg.PostgresError, TimeoutError):
                await connection.close(timeout=5)
        self.idle = []


async def check_alive(connection: Any, worker: WorkerId) -> None:
    """LeaseLost if the worker has no row: then it will never claim anything."""
    if await connection.fetchval("SELECT 1 FROM workers WHERE id = $1", worker) is None:
        raise LeaseLost(f"worker {worker} was declared dead")


def told_row(event: Event) -> Row:
    """An event as a row."""
    return tuple(event_row(event).values())


def end_row(entry: Entry) -> Row:
    """(job, lease, phase, percent, trouble, history) of an end."""
    end = entry.end
    assert end is not None
    trouble = dumps(end.trouble.data()) if end.trouble else None
    history = dumps(list(end.history))
    return entry.lease.job, entry.lease.number, end.phase, end.percent, trouble, history


# -- SQLite --------------------------------------------------------------------------------

ALIVE = "SELECT 1 FROM workers WHERE id = ?"
LITE_NOW = "(julianday('now') - 2440587.5) * 86400.0"
LITE_INSERT = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"
LITE_END = f"""
UPDATE jobs SET phase = ?, percent = ?, trouble = ?, history = ?, worker = NULL, crashes = 0,
  ended = {LITE_NOW} WHERE id = ? AND lease = ? AND worker = ? AND NOT awaited
"""
LITE_LEAVE = "DELETE FROM scopes WHERE job = ?"


def sqlite_claim(which: str, order: str) -> str:
    """The claim; the write lock is held, so that nobody else is picking."""
    mine = "(SELECT value FROM json_each(:able))"
    able = f"skill IN {mine} AND (machine IS NULL OR machine IN {mine})"
    picked = f"{PICKED.format(which=which, able=able)} {order}"
    fence = "WITH fence AS (SELECT id FROM workers WHERE id = :worker)"
    return f"{fence}, picked AS ({picked}) {CLAIM.format(worker=':worker', now=LITE_NOW)}"


class HotSqlite:
    """The writer's connection, without a compiler in between."""

    def __init__(self, inner: Sqlite) -> None:
        self.inner = inner

    @contextlib.asynccontextmanager
    async def connection(self, worker: WorkerId) -> AsyncIterator[sqlite3.Connection]:
        """A fenced transaction."""
        with translated():
            async with self.inner.write() as outer:
                raw = outer.driver
                if raw.execute(ALIVE, (worker,)).fetchone() is None:
                    raise LeaseLost(f"worker {worker} was declared dead")
                yield raw

    async def claim(
        self, crew: Crew, tubes: Sequence[str], room: int, job: JobId | None
    ) -> Sequence[Row]:
        """One statement."""
        which, order = (
            "tube IN (SELECT value FROM json_each(:tubes))",
            IN_ORDER.format(room=":room"),
        )
        if len(tubes) == 1:
            which = "tube = :tube"  # so that the index gives the order
        if job is not None:
            which, order = "id = :job", ""
        values = {
            "worker": crew.id,
            "able": dumps(sorted(crew.skills)),
            "tubes": dumps(tubes),
            "tube": tubes[0],
            "room": room,
            "job": job,
        }
        async with self.connection(crew.id) as raw:
            rows: list[Row] = raw.execute(sqlite_claim(which, order), values).fetchall()
            return rows

    async def flush(self, worker: WorkerId, group: Collection[Entry]) -> set[JobId]:
        """A few statements, prepared once."""
        ended: set[JobId] = set()
        async with self.connection(worker) as raw:
            for entry in group:
                if entry.end is not None:
                    id, number, *end = end_row(entry)
                    done = raw.execute(LITE_END, (*end, id, number, worker))
                    if not done.rowcount:
                        continue
                    raw.execute(LITE_LEAVE, (entry.lease.job,))
                    ended.add(entry.lease.job)
                raw.executemany(LITE_INSERT, [told_row(event) for event in entry.events])
        return ended

    async def close(self) -> None:
        """The connection is the writer's."""
