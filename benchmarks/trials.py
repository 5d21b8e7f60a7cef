"""What is measured of ours alone: submitting, waking, claiming, killing, and a crowd."""

import json
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.contenders import Contender, ours
from benchmarks.processes import until
from benchmarks.readings import Reading
from benchmarks.stores import Store

US = ours("postgresql", 1, 20)
KILLS, QUICK_KILLS = 10, 2
IN_HAND = 100  # jobs of the worker that is killed
WORKER_ROWS = "SELECT count(*) FROM workers"  # a worker that is enlisted and lives


def submit(bench: Bench) -> Reading:
    """Jobs submitted a second, one transaction each, one after another."""
    count = 300 if bench.quick else 2000
    with bench.empty("postgresql") as url:
        return Reading(asked(bench, url, "submit", "--count", str(count)))


def wake(bench: Bench, queue: str = "datastore") -> Reading:
    """Milliseconds from submitting to the first step, to an idle worker, at the median."""
    count = 20 if bench.quick else 70
    marks = bench.folder / "wake.marks"
    us = replace(ours("postgresql", 1, 20, queue), name="windlass.wake")
    marking = ("--marks", str(marks))
    with migrated(bench, us) as url, bench.worker(us, url, *marking) as process:
        with Store(url) as store:
            until(lambda: store.count(WORKER_ROWS) == 1, process, 60)
        time.sleep(1)  # until it is idle
        took = asked(bench, url, "wake", "--count", str(count), *marking, us=us)
    marks.unlink()
    return Reading(statistics.median(took), {"p99": percentile(took, 99), "min": min(took)})


def claim(bench: Bench) -> Reading:
    """Claim p99 among many rows, as a multiple of that among few; the median of some tries."""
    finished, waiting = (20_000, 5_000) if bench.quick else (1_000_000, 100_000)
    tries, count = (1, 200) if bench.quick else (5, 900)
    with grown(bench, 0, 1000) as small, grown(bench, finished, waiting) as big:
        took = [claim_in_turn(bench, small, big, count) for _ in range(tries)]
    ratios = [many["p99"] / few["p99"] for few, many in took]
    return Reading(statistics.median(ratios), {"ratios": ratios, "few_and_many_ms": took})


def claim_in_turn(bench: Bench, small: str, big: str, count: int) -> list[dict[str, float]]:
    """Milliseconds of claims among few and among many rows, one here, one there."""
    few = bench.copy(small)
    took = asked(bench, big, "claim", "--urls", few, big, "--count", str(count))
    bench.drop(few)
    return [
        {"p50": 1000 * statistics.median(one), "p99": 1000 * percentile(one, 99)} for one in took
    ]


@contextmanager
def grown(bench: Bench, finished: int, waiting: int) -> Iterator[str]:
    """A datastore of ours with so many rows: one of each kind through the engine, then copies."""
    with migrated(bench) as url:
        asked(bench, url, "fill", "--count", "1")
        with Store(url) as store:
            with bench.worker(US, url) as process:
                done = "SELECT count(*) FROM jobs WHERE phase = 'complete'"
                until(lambda: store.count(done) == 1, process, 60)
            multiply(store, "phase = 'complete'", finished)
            asked(bench, url, "fill", "--count", "1", "--prefix", "w")
            multiply(store, "phase = 'ready'", waiting - 1)
            store.run("VACUUM ANALYZE")
            store.run("CHECKPOINT")
        yield url


def multiply(store: Store, which: str, times: int) -> None:
    """So many copies of the one job that is like this."""
    columns = store.text(
        "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
        " WHERE table_name = 'jobs' AND column_name <> 'id'"
    )
    store.run(
        f"INSERT INTO jobs ({columns}) SELECT {columns} FROM generate_series(1, {times}),"
        f" (SELECT * FROM jobs WHERE {which} LIMIT 1) AS one"
    )


def kill(bench: Bench) -> Reading:
    """Seconds from a worker's SIGKILL until each of its jobs runs elsewhere, p99 of all."""
    took: list[float] = []
    for number in range(QUICK_KILLS if bench.quick else KILLS):
        took += kill_one(bench, bench.folder / f"kill{number}.marks")
    return Reading(
        percentile(took, 99), {"p50": statistics.median(took), "max": max(took), "n": len(took)}
    )


def kill_one(bench: Bench, marks: Path) -> list[float]:
    """The same of one worker: each job's seconds."""
    us = replace(ours("postgresql", 1, IN_HAND), name="windlass.kill")
    marking = ("--marks", str(marks))
    marks.touch()
    with migrated(bench) as url, Store(url) as store, bench.worker(us, url, *marking) as first:
        until(lambda: store.count(WORKER_ROWS) == 1, first, 60)
        asked(bench, url, "fill", "--count", str(IN_HAND), "--lingers")
        until(lambda: len(lines(marks)) == IN_HAND, first, 60)
        with bench.worker(us, url, *marking) as second:
            until(lambda: store.count(WORKER_ROWS) == 2, second, 60)
            time.sleep(2)  # until it has seen the other's beat
            killed = time.monotonic()
            first.kill()
            until(lambda: len(lines(marks)) >= 2 * IN_HAND, second, 60)
            second.kill()
    again = {job: at for job, at in reversed(lines(marks)) if at > killed}
    return [at - killed for at in again.values()]


@contextmanager
def migrated(bench: Bench, us: Contender = US) -> Iterator[str]:
    """An empty datastore of ours, with its tables."""
    bench.empty_queue(us)
    with bench.empty("postgresql") as url:
        asked(bench, url, "fill", "--count", "0", us=us)
        yield url


def asked(bench: Bench, url: str, command: str, *options: str, us: Contender = US) -> Any:
    """What one of our commands says."""
    printed = bench.command(us, ("benchmarks.ours", command, *options), url)
    return json.loads(printed) if printed else None


def lines(marks: Path) -> list[tuple[int, float]]:
    """Which jobs began when, in order; a line that is being written is left out."""
    if not marks.exists():
        return []
    whole = marks.read_text().rpartition("\n")[0]
    return [(int(job), float(at)) for job, at in (line.split() for line in whole.splitlines())]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def crowd_of(bench: Bench) -> Contender:
    """A hundred thousand one-step jobs of one owner."""
    return replace(US, name="windlass.crowd", jobs=100_000, quick=3000)
