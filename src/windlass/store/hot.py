"""The hot statements, claim and flush, on a driver connection of their own.

Each is one statement, one transaction and one round trip; what SQLAlchemy's compiling and a pool's
check-out would add is more than what they cost (docs/decisions/0011). They mean exactly what
`claiming.py` and `ending.py` say in full.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg
import msgspec

from windlass.engine.journal import Crew, End, Event
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import LeaseLost
from windlass.store.database import FROZEN, Database, Postgres, translated
from windlass.store.rows import EventRow, dumps
from windlass.store.sqlite import Sqlite


@dataclass(slots=True)
class Entry:
    """What one job wants written: events, and perhaps its end."""

    lease: Lease
    events: Sequence[Event]
    end: End | None = None


Row = tuple[Any, ...]


class Hot(Protocol):
    """Claim and flush on one kind of datastore."""

    most: int  # entries of one flush

    async def claim(
        self, crew: Crew, tubes: Sequence[str], room: int, job: JobId | None
    ) -> Sequence[Row]:
        """Rows (id, kind, version, data, lease, crashes) of up to `room` jobs, now ours."""

    async def flush(self, worker: WorkerId, group: Sequence[Entry]) -> set[JobId]:
        """Write a group's events, and those ends that nobody must hear of: whose were written.

        Of a job whose end must look around (somebody waits, or it has holds) nothing was.
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

EVENTS = """json_to_recordset(${}::text::json)
  AS told(job bigint, number int, kind text, step int, lease int, at float8, detail text)"""
ENDS = """json_to_recordset(${}::text::json)
  AS ending(id bigint, lease int, phase text, percent float8, trouble text, history text)"""
TELL = """
  INSERT INTO events (job, number, kind, step, lease, at, detail)
  SELECT told.job, number, kind, step, told.lease, at, detail FROM """

# Groups come as JSON: drivers encode arrays item by item, several times as slowly.
FLUSH = f"""
{FENCE},
told AS ({TELL}{EVENTS.format(2)} WHERE EXISTS (SELECT 1 FROM fence) ON CONFLICT DO NOTHING),
ready AS (
  SELECT ending.* FROM {ENDS.format(3)}
  JOIN jobs ON jobs.id = ending.id AND jobs.lease = ending.lease
  WHERE jobs.worker = $1 AND NOT jobs.awaited AND EXISTS (SELECT 1 FROM fence)
  FOR UPDATE OF jobs SKIP LOCKED),
last AS ({TELL}{EVENTS.format(4)} JOIN ready ON ready.id = told.job ON CONFLICT DO NOTHING),
ended AS (
  UPDATE jobs SET phase = ready.phase, percent = ready.percent, trouble = ready.trouble,
    history = ready.history, worker = NULL, crashes = 0,
    ended = extract(epoch FROM clock_timestamp())
  FROM ready WHERE jobs.id = ready.id),
gone AS (DELETE FROM scopes USING ready WHERE scopes.job = ready.id)
SELECT EXISTS (SELECT 1 FROM fence), ARRAY(SELECT id FROM ready)
"""
CLAIMING = FROZEN | {
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
    "enable_hashjoin": "off",
}
FLUSHING = CLAIMING | {"enable_hashjoin": "on"}


class HotPostgres:
    """Connections of their own: a claim never waits behind a flush."""

    most = 100  # so that of several hundred jobs some work while the server writes the others'

    def __init__(self, inner: Postgres) -> None:
        self.claiming = Spare(inner.url, CLAIMING)
        self.flushing = Spare(inner.url, FLUSHING)

    async def claim(
        self, crew: Crew, tubes: Sequence[str], room: int, job: JobId | None
    ) -> Sequence[Row]:
        """One statement."""
        able = list(crew.skills)
        async with self.claiming.connection() as connection:
            if job is not None:
                rows = await connection.fetch(CLAIM_JOB, crew.id, able, job)
            elif len(tubes) == 1:
                rows = await connection.fetch(CLAIM_ONE_TUBE, crew.id, able, tubes[0], room)
            else:
                rows = await connection.fetch(CLAIM_TUBES, crew.id, able, tubes, room)
            if not rows:
                await check_alive(connection, crew.id)
            return [tuple(row) for row in rows]

    async def flush(self, worker: WorkerId, group: Sequence[Entry]) -> set[JobId]:
        """One statement."""
        async with self.flushing.connection() as connection:
            row = await connection.fetchrow(
                FLUSH,
                worker,
                dumps([EventRow.of(event) for one in group if not one.end for event in one.events]),
                dumps([end_of(one.lease, one.end) for one in group if one.end]),
                dumps([EventRow.of(event) for one in group if one.end for event in one.events]),
            )
        if not row[0]:
            raise LeaseLost(f"worker {worker} was declared dead")
        return set(row[1])

    async def close(self) -> None:
        """Close what is idle."""
        await self.claiming.close()
        await self.flushing.close()


class Spare:
    """Connections that are made when none is idle, and kept."""

    def __init__(self, url: str, settings: dict[str, str]) -> None:
        self.url, self.settings = url, settings
        self.idle: list[Any] = []

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection; one that broke is not used again."""
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
        """A new one."""
        return await asyncpg.connect(
            self.url, timeout=10, command_timeout=60, server_settings=self.settings
        )

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


def end_of(lease: Lease, end: End) -> dict[str, Any]:
    """The columns of an end."""
    return {
        "id": lease.job,
        "lease": lease.number,
        "phase": end.phase,
        "percent": end.percent,
        "trouble": dumps(end.trouble.data()) if end.trouble else None,
        "history": dumps(end.history),
    }


# -- SQLite --------------------------------------------------------------------------------

ALIVE = "SELECT 1 FROM workers WHERE id = ?"
LITE_NOW = "(julianday('now') - 2440587.5) * 86400.0"
LITE_INSERT = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"
LITE_END = f"""
UPDATE jobs SET phase = :phase, percent = :percent, trouble = :trouble, history = :history,
  worker = NULL, crashes = 0, ended = {LITE_NOW}
WHERE id = :id AND lease = :lease AND worker = :worker AND NOT awaited
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

    most = 500

    def __init__(self, inner: Sqlite) -> None:
        self.inner = inner

    @contextlib.asynccontextmanager
    async def connection(
        self, worker: WorkerId, *, lasting: bool = True
    ) -> AsyncIterator[sqlite3.Connection]:
        """A fenced transaction."""
        with translated():
            async with self.inner.write(lasting=lasting) as outer:
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
        async with self.connection(crew.id, lasting=False) as raw:
            rows: list[Row] = raw.execute(sqlite_claim(which, order), values).fetchall()
            return rows

    async def flush(self, worker: WorkerId, group: Sequence[Entry]) -> set[JobId]:
        """A few statements, prepared once."""
        ended: set[JobId] = set()
        told: list[Row] = []
        async with self.connection(worker) as raw:
            for entry in group:
                if entry.end is not None:
                    end = end_of(entry.lease, entry.end) | {"worker": worker}
                    if not raw.execute(LITE_END, end).rowcount:
                        continue
                    raw.execute(LITE_LEAVE, (entry.lease.job,))
                    ended.add(entry.lease.job)
                told += [msgspec.structs.astuple(EventRow.of(event)) for event in entry.events]
            raw.executemany(LITE_INSERT, told)
        return ended

    async def close(self) -> None:
        """The connection is the writer's."""
