"""The hot statements, claim and flush, on a driver connection of their own.

Each is one statement, one transaction and one round trip; what SQLAlchemy's compiling and a pool's
check-out would add is more than what they cost (docs/decisions/0011). They mean exactly what
`claiming.py` and `ending.py` say in full.
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import msgspec

from windlass.engine.journal import Crew, End, Event
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import LeaseLost
from windlass.store.database import Database, Postgres, translated
from windlass.store.rows import EventsRow, dumps
from windlass.store.sqlite import Sqlite


class Entry(msgspec.Struct):
    """What one job wants written: events, or its end, or both."""

    lease: Lease
    events: Sequence[Event]
    end: End | None = None
    unsure: bool = False  # its claim may not be on the disk


class Flushed(msgspec.Struct, frozen=True):
    """What became of a group: whose ends were written, and which claims are no more.

    Of those with another end (somebody waits, or it has holds) and of the lost nothing was written.
    """

    ended: set[Lease]
    lost: set[Lease]


Row = tuple[Any, ...]


class Hot(Protocol):
    """Claim and flush on one kind of datastore."""

    most: int  # entries of one flush
    lanes: int  # flushes under way at a time
    forgetful: bool  # whether a server may forget a claim whose answer we have

    async def claim(
        self, crew: Crew, tubes: Sequence[str], room: int, job: JobId | None
    ) -> Sequence[Row]:
        """Rows (id, kind, version, data, lease, crashes, awaited) of up to `room` ready jobs.

        They are on the disk with the next flush: until then a crash of the server may take them
        back (docs/decisions/0015).
        """

    async def flush(
        self, worker: WorkerId, group: Sequence[Entry], *, again: bool = False
    ) -> Flushed:
        """Write a group's events, and those ends that nobody must hear of.

        `again` when an earlier call may have written the group: then what is there already stays.
        """


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
RETURNING jobs.id, kind, version, data, lease, crashes, awaited
"""
PICKED = """
SELECT id, CASE lease WHEN 0 THEN 0 ELSE
  coalesce((SELECT max(outcome) FROM events WHERE events.job = jobs.id), 0) END AS newest
FROM jobs WHERE claimable AND {which} AND {able} AND EXISTS (SELECT 1 FROM fence)
"""
IN_ORDER = "ORDER BY priority, turn, id LIMIT {room}"

# -- PostgreSQL ----------------------------------------------------------------------------


def postgres_claim(which: str, order: str) -> str:
    """The claim: who lives picks what nobody else is picking; it does not wait for the disk."""
    soon = "soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"
    fence = "fence AS (SELECT id FROM workers, soon WHERE id = $1 FOR KEY SHARE OF workers)"
    able = "skill = ANY($2::text[]) AND (machine IS NULL OR machine = ANY($2::text[]))"
    picked = f"{PICKED.format(which=which, able=able)} {order} FOR UPDATE SKIP LOCKED"
    taking = CLAIM.format(worker="$1", now="extract(epoch FROM clock_timestamp())")
    return f"WITH {soon}, {fence}, picked AS ({picked}) {taking}"


CLAIM_ONE_TUBE = postgres_claim("tube = $3", IN_ORDER.format(room="$4"))
CLAIM_TUBES = postgres_claim("tube = ANY($3::text[])", IN_ORDER.format(room="$4"))
CLAIM_JOB = postgres_claim("id = $3", "")

EVENTS = """json_to_recordset(${}::text::json) AS fresh(
  job bigint, number int, lease int, kinds text, outcome int, told text, unsure boolean)"""
ENDS = """json_to_recordset(${}::text::json)
  AS ending(id bigint, lease int, phase text, percent float8, trouble text, history text)"""
INSERT = """
  INSERT INTO events (job, number, lease, kinds, outcome, told)
  SELECT fresh.job, number, fresh.lease, kinds, outcome, told FROM """


def postgres_flush(*, ends: bool, twice: str = "") -> str:
    """The flush, with ends or without; `twice` says what to do about events that are there already.

    Groups come as JSON: drivers encode arrays item by item, several times as slowly.
    """
    telling = f"""
WITH fence AS (SELECT id FROM workers WHERE id = $1 FOR KEY SHARE),
fresh AS (SELECT * FROM {EVENTS.format(2)}),
lost AS (
  SELECT job, lease FROM fresh WHERE unsure AND
    (SELECT worker FROM jobs WHERE id = fresh.job AND lease = fresh.lease) IS DISTINCT FROM $1),
told AS ({INSERT} fresh
  WHERE EXISTS (SELECT 1 FROM fence)
    AND (job, lease) NOT IN (SELECT job, lease FROM lost) {twice})"""
    ending = f"""
ready AS (
  SELECT ending.* FROM {ENDS.format(3)}, LATERAL (
    SELECT FROM jobs WHERE jobs.id = ending.id AND jobs.lease = ending.lease
      AND jobs.worker IS NOT DISTINCT FROM $1 AND NOT jobs.awaited
    FOR UPDATE SKIP LOCKED) AS ours
  WHERE EXISTS (SELECT 1 FROM fence)),
last AS ({INSERT}{EVENTS.format(4)}
  WHERE ((job, lease) IN (SELECT id, lease FROM ready)) IS TRUE {twice}),
ended AS (
  UPDATE jobs SET phase = ready.phase, percent = ready.percent, trouble = ready.trouble,
    history = ready.history, worker = NULL, crashes = 0,
    ended = extract(epoch FROM clock_timestamp())
  FROM ready WHERE jobs.id = ready.id),
gone AS (DELETE FROM scopes USING ready WHERE scopes.job = ready.id)"""
    lost = "ARRAY(SELECT job FROM lost), ARRAY(SELECT lease FROM lost)"
    ended = "ARRAY(SELECT id FROM ready), ARRAY(SELECT lease FROM ready)"
    answer = f"SELECT EXISTS (SELECT 1 FROM fence), {lost}"
    return f"{telling},{ending} {answer}, {ended}" if ends else f"{telling} {answer}"


# To be ready for conflicts costs a third of an insert, and only a second time can there be any.
TWICE = "ON CONFLICT DO NOTHING"
TELL, TELL_AGAIN = postgres_flush(ends=False), postgres_flush(ends=False, twice=TWICE)
FLUSH, FLUSH_AGAIN = postgres_flush(ends=True), postgres_flush(ends=True, twice=TWICE)


class HotPostgres:
    """A connection for each that is under way: a claim never waits behind a flush."""

    most, lanes, forgetful = 100, 2, True

    def __init__(self, inner: Postgres) -> None:
        self.spare = inner.spare

    async def claim(
        self, crew: Crew, tubes: Sequence[str], room: int, job: JobId | None
    ) -> Sequence[Row]:
        """One statement."""
        able = list(crew.skills)
        with translated():
            async with self.spare.connection() as connection:
                if job is not None:
                    rows = await connection.fetch(CLAIM_JOB, crew.id, able, job)
                elif len(tubes) == 1:
                    rows = await connection.fetch(CLAIM_ONE_TUBE, crew.id, able, tubes[0], room)
                else:
                    rows = await connection.fetch(CLAIM_TUBES, crew.id, able, tubes, room)
                if not rows:
                    await check_alive(connection, crew.id)
                return [tuple(row) for row in rows]

    async def flush(
        self, worker: WorkerId, group: Sequence[Entry], *, again: bool = False
    ) -> Flushed:
        """One statement."""
        ended = [one for one in group if one.end]
        values = [dumps([row_of(one) for one in group if not one.end])]
        statement = TELL_AGAIN if again else TELL
        if ended:
            values.append(dumps([end_of(one.lease, one.end) for one in ended if one.end]))
            values.append(dumps([row_of(one) for one in ended if one.events]))
            statement = FLUSH_AGAIN if again else FLUSH
        with translated():
            async with self.spare.connection() as connection:
                row = await connection.fetchrow(statement, worker, *values)
        if not row[0]:
            raise LeaseLost(f"worker {worker} was declared dead")
        return Flushed(lost=leases(worker, *row[1:3]), ended=leases(worker, *row[3:]))


def leases(worker: WorkerId, jobs: Sequence[int] = (), numbers: Sequence[int] = ()) -> set[Lease]:
    """A worker's leases by their columns, if there are any."""
    return {Lease(worker, JobId(job), number) for job, number in zip(jobs, numbers, strict=True)}


async def check_alive(connection: Any, worker: WorkerId) -> None:
    """LeaseLost if the worker has no row: then it will never claim anything."""
    if await connection.fetchval("SELECT 1 FROM workers WHERE id = $1", worker) is None:
        raise LeaseLost(f"worker {worker} was declared dead")


class FreshRow(EventsRow):
    """Events as the flush takes them."""

    unsure: bool = False


def row_of(entry: Entry) -> FreshRow:
    """The row of an entry's events."""
    row = FreshRow.of(entry.lease.job, entry.lease.number, entry.events)
    row.unsure = entry.unsure
    return row


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
LITE_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"
LITE_INSERT_AGAIN = LITE_INSERT.replace("INSERT", "INSERT OR IGNORE")
LITE_END = f"""
UPDATE jobs SET phase = :phase, percent = :percent, trouble = :trouble, history = :history,
  worker = NULL, crashes = 0, ended = {LITE_NOW}
WHERE id = :id AND lease = :lease AND worker = :worker AND NOT awaited
"""
LITE_LEAVE = "DELETE FROM scopes WHERE job = ?"


LITE_MINE = "(SELECT value FROM json_each(:able))"
LITE_ABLE = f"skill IN {LITE_MINE} AND (machine IS NULL OR machine IN {LITE_MINE})"


def sqlite_ready(which: str) -> str:
    """Whether there is anything to claim."""
    return f"SELECT EXISTS (SELECT 1 FROM jobs WHERE claimable AND {which} AND {LITE_ABLE})"


def sqlite_claim(which: str, order: str) -> str:
    """The claim; the write lock is held, so that nobody else is picking."""
    picked = f"{PICKED.format(which=which, able=LITE_ABLE)} {order}"
    fence = "WITH fence AS (SELECT id FROM workers WHERE id = :worker)"
    return f"{fence}, picked AS ({picked}) {CLAIM.format(worker=':worker', now=LITE_NOW)}"


def lite_check_alive(raw: sqlite3.Connection, worker: WorkerId) -> None:
    """LeaseLost if the worker has no row."""
    if raw.execute(ALIVE, (worker,)).fetchone() is None:
        raise LeaseLost(f"worker {worker} was declared dead")


class HotSqlite:
    """The writer's connection, without a compiler in between."""

    most, lanes, forgetful = 500, 1, False  # what takes its file away takes us as well

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
                lite_check_alive(raw, worker)
                yield raw

    async def claim(
        self, crew: Crew, tubes: Sequence[str], room: int, job: JobId | None
    ) -> Sequence[Row]:
        """One statement, after a look: whoever finds nothing has kept nobody from writing."""
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
        if not await self.ready(crew.id, sqlite_ready(which), values):
            return []
        async with self.connection(crew.id, lasting=False) as raw:
            rows: list[Row] = raw.execute(sqlite_claim(which, order), values).fetchall()
            return rows

    async def ready(self, worker: WorkerId, anything: str, values: dict[str, Any]) -> bool:
        """Whether there is; LeaseLost for a worker that is not to claim at all."""
        with translated():
            async with self.inner.read() as outer:
                raw = outer.driver
                lite_check_alive(raw, worker)
                return bool(raw.execute(anything, values).fetchone()[0])

    async def flush(
        self, worker: WorkerId, group: Sequence[Entry], *, again: bool = False
    ) -> Flushed:
        """A few statements, prepared once."""
        ended: set[Lease] = set()
        told: list[Row] = []
        async with self.connection(worker) as raw:
            for entry in group:
                if entry.end is not None:
                    end = end_of(entry.lease, entry.end) | {"worker": worker}
                    if not raw.execute(LITE_END, end).rowcount:
                        continue
                    raw.execute(LITE_LEAVE, (entry.lease.job,))
                    ended.add(entry.lease)
                if entry.events:
                    row = EventsRow.of(entry.lease.job, entry.lease.number, entry.events)
                    told.append(msgspec.structs.astuple(row))
            raw.executemany(LITE_INSERT_AGAIN if again else LITE_INSERT, told)
        return Flushed(ended, lost=set())
