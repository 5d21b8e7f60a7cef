"""Everything that is measured, by name; a figure is made of these."""

from functools import partial

from benchmarks import crowd, limits, trials
from benchmarks.contenders import CONTENDERS
from benchmarks.drains import drain
from benchmarks.expected import EXPECTED
from benchmarks.figures import FIGURES
from benchmarks.readings import Measurement, Suite

BATCHES = (1, 20, 100, 200)  # rows a commit


def drained(name: str) -> Measurement:
    """What a contender drains."""
    contender = CONTENDERS[name]
    return Measurement(name, "jobs/s", lambda bench: drain(bench, contender))


def inserted(store: str, rows: int) -> Measurement:
    """What one connection inserts."""
    take = limits.postgres_inserts if store == "pg" else limits.sqlite_inserts
    return Measurement(f"limit.{store}.{rows}", "rows/s", partial(take, rows=rows))


ALL = [
    *map(drained, CONTENDERS),
    *(inserted(store, rows) for store in ("pg", "sqlite") for rows in BATCHES),
    Measurement("limit.notify", "ms", limits.notify),
    Measurement("windlass.wake", "ms", trials.wake),
    Measurement("windlass.wake.beanstalkd", "ms", partial(trials.wake, queue="beanstalkd")),
    Measurement("windlass.wake.redis", "ms", partial(trials.wake, queue="redis")),
    Measurement("windlass.submit", "jobs/s", trials.submit),
    Measurement("windlass.claim", "x", trials.claim, once=True),
    Measurement("windlass.kill", "s", trials.kill, once=True),
    Measurement("windlass.fairness", "x slots", crowd.fairness, once=True),
    Measurement("windlass.memory", "MiB", crowd.memory, once=True),
]

ENGINE = Suite("engine", FIGURES, ALL, EXPECTED)
