"""What the stores themselves can do: rows a second over one connection, and a wake-up."""

import asyncio
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from benchmarks.bench import Bench
from benchmarks.processes import Process, running, until
from benchmarks.readings import Reading

SECONDS, QUICK = 3.0, 0.5  # of each insert limit
SAMPLES = 70  # wake-ups, one every 50 ms
SPACING = 0.05
CHANNEL = "bench"

TABLE = """CREATE TABLE events (job bigint, number integer, kind text NOT NULL, step integer,
    lease integer NOT NULL, at float8 NOT NULL, detail text NOT NULL, PRIMARY KEY (job, number))"""
MANY = """INSERT INTO events SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::int[],
    $5::int[], $6::float8[], $7::text[])"""
ONE = "INSERT INTO events VALUES ($1, $2, $3, $4, $5, $6, $7)"

WITH_NOTIFY = f"""WITH inserted AS ({ONE} RETURNING job)
    SELECT pg_notify('{CHANNEL}', job::text) FROM inserted"""


def row(job: int) -> tuple[Any, ...]:
    """An event, about as ours are."""
    return (job, 3, "done", 1, 1, time.time(), "{}")


def postgres_inserts(bench: Bench, rows: int) -> Reading:
    """Rows a second, so many a commit, each a single statement of one connection."""
    with bench.empty("postgresql") as url:
        return Reading(uvloop.run(inserting(url, rows, seconds(bench))))


async def inserting(url: str, rows: int, lasting: float) -> float:
    """Insert for a while."""
    connection = await asyncpg.connect(url)
    await connection.execute(TABLE)
    statement = await connection.prepare(ONE if rows == 1 else MANY)

    async def insert(first: int) -> None:
        batch = [row(first + number) for number in range(rows)]
        await statement.fetch(*(batch[0] if rows == 1 else zip(*batch, strict=True)))

    rate = await for_a_while(insert, rows, lasting)
    await connection.close()
    return rate


async def for_a_while(insert: Callable[[int], Awaitable[None]], rows: int, lasting: float) -> float:
    """Rows a second of inserting again and again, after a few that do not count."""
    first = 0
    for _ in range(20):
        await insert(first)
        first += rows
    warm, began = first, time.monotonic()
    while (now := time.monotonic()) < began + lasting:
        await insert(first)
        first += rows
    return (first - warm) / (now - began)


def sqlite_inserts(bench: Bench, rows: int) -> Reading:
    """The same on SQLite with synchronous=FULL."""
    with bench.empty("sqlite") as url:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        rate = sqlite_inserting(connection, rows, seconds(bench))
        connection.close()
    return Reading(rate)


def sqlite_inserting(connection: sqlite3.Connection, rows: int, lasting: float) -> float:
    """Insert for a while."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(TABLE)

    async def insert(first: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
            [row(first + number) for number in range(rows)],
        )
        connection.execute("COMMIT")

    return asyncio.run(for_a_while(insert, rows, lasting))


def notify(bench: Bench) -> Reading:
    """Milliseconds from an insert with NOTIFY to another process that listens, at the median."""
    log = bench.log("limit.notify")
    log.unlink(missing_ok=True)
    with bench.empty("postgresql") as url, listener(url, log) as process:
        until(lambda: "ready" in log.read_text(), process, 30)
        sent = uvloop.run(notifying(url))
        until(lambda: len(log.read_text().splitlines()) > len(sent), process, 30)
    heard = [float(line) for line in log.read_text().splitlines()[1:]]
    took = [1000 * (there - here) for here, there in zip(sent, heard, strict=True)]
    return Reading(statistics.median(took), {"p99": max(took)})


def listener(url: str, log: Path) -> AbstractContextManager[Process]:
    """The process that listens."""
    return running("limit.notify", [sys.executable, "-m", "benchmarks.limits", url], {}, log)


async def notifying(url: str) -> list[float]:
    """Insert and notify in one commit, again and again: when each began."""
    connection = await asyncpg.connect(url)
    await connection.execute(TABLE)
    statement = await connection.prepare(WITH_NOTIFY)
    sent = []
    for number in range(SAMPLES):
        sent.append(time.monotonic())
        await statement.fetch(*row(number))
        await asyncio.sleep(SPACING)
    await connection.close()
    return sent


async def listening(url: str) -> None:
    """Print when each notification came, until killed."""
    connection = await asyncpg.connect(url)

    def heard(*_: object) -> None:
        os.write(1, f"{time.monotonic()}\n".encode())

    await connection.add_listener(CHANNEL, heard)
    os.write(1, b"ready\n")
    await asyncio.Event().wait()


def seconds(bench: Bench) -> float:
    """How long an insert limit is measured."""
    return QUICK if bench.quick else SECONDS


if __name__ == "__main__":
    uvloop.run(listening(sys.argv[1]))
