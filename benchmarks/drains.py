"""A drain: one worker, a filled store, and a look at how the finished jobs grow."""

import time
from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.contenders import Contender
from benchmarks.processes import Failed, Process
from benchmarks.readings import Reading
from benchmarks.stores import Store

LOOK = 0.01  # seconds between looks, at least
SHARE = 0.05  # of the time that looking may take
STARTUP = 60.0  # seconds until the first jobs must be finished
LONGEST = 60.0  # seconds of a drain; what is finished by then is what counts


def drain(bench: Bench, contender: Contender) -> Reading:
    """Jobs a second of one worker, from when it has found its stride to its last job."""
    count, finished = bench.jobs(contender), contender.finished
    with (
        bench.ready(contender) as url,
        Store(url) as store,
        bench.worker(contender, url) as process,
    ):
        return watch(process, contender, count, lambda: finished(store, count))


def watch(
    process: Process, contender: Contender, count: int, finished: Callable[[], int]
) -> Reading:
    """Look until all is finished, or for long enough."""
    # Those that it began with are under way when the first is finished: they do not count.
    head = min(contender.at_once, count // 4) - 1
    first, began = look(process, finished, head, STARTUP)
    if not 0 < first < count:
        raise Failed(f"{contender.name}: {first} of {count} jobs were finished at the first look")
    done, seen = look(process, finished, count - 1, LONGEST)
    rate = (done - first) / (seen - began)
    more = {"jobs": count, "finished": done, "rss": round(process.rss() / 2**20, 1)}
    return Reading(rate, more | {"steps_per_second": rate * contender.steps})


def look(
    process: Process, finished: Callable[[], int], beyond: int, patience: float
) -> tuple[int, float]:
    """How many are finished and when that was seen: more than `beyond`, or patience is over."""
    deadline = time.monotonic() + patience
    while True:
        asked = time.monotonic()
        done = finished()
        now = time.monotonic()
        if done > beyond or now > deadline:
            return done, (asked + now) / 2
        process.check()
        time.sleep(max(LOOK, (now - asked) / SHARE))
