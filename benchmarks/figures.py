"""The figures that are asked of us: what each is made of, what it must be and should be."""

from collections.abc import Mapping
from dataclasses import dataclass

Values = Mapping[str, float]  # of one round, by measurement (and `measurement:detail`)


@dataclass(frozen=True)
class Figure:
    """One measurement, or the first `times` so many against the best of the rest, in a round."""

    name: str
    title: str
    of: tuple[str, ...]
    must: float
    aim: float
    unit: str = "x"
    most: bool = False  # must and aim are the most that it may be
    times: float = 1.0
    detail: str = ""

    def value(self, values: Values) -> float:
        """What it comes to."""
        ours, *others = self.of
        if not others:
            return values[ours + self.detail]
        return self.times * values[ours] / max(values[name] for name in others)

    def holds(self, value: float, goal: float) -> bool:
        """Whether a value reaches a goal."""
        return value <= goal if self.most else value >= goal


FIGURES = [
    Figure(
        "one20",
        "one-step jobs, 20 in flight, against Procrastinate's best",
        ("windlass.pg.one.20", "procrastinate.10", "procrastinate.20"),
        must=8,
        aim=14,
    ),
    Figure(
        "one200",
        "one-step jobs, 200 in flight, against pgqueuer batch 200",
        ("windlass.pg.one.200", "pgqueuer.200"),
        must=0.7,
        aim=1.2,
    ),
    Figure(
        "five50",
        "five-step jobs, 50 in flight, against DBOS's queue with 50",
        ("windlass.pg.five.50", "dbos.queue50"),
        must=40,
        aim=75,
    ),
    Figure(
        "five1",
        "five-step jobs, one at a time, against DBOS called directly",
        ("windlass.pg.five.1", "dbos.direct"),
        must=3,
        aim=5,
    ),
    Figure(
        "steps20",
        "steps a second, 20 in flight, against inserts of 20 rows a commit",
        ("windlass.pg.five.20", "limit.pg.20"),
        must=0.25,
        aim=0.40,
        times=5,
        unit="%",
    ),
    Figure(
        "sqlite200",
        "steps a second, SQLite, 200 in flight, against inserts of 100 rows a commit",
        ("windlass.sqlite.five.200", "limit.sqlite.100"),
        must=0.10,
        aim=0.20,
        times=5,
        unit="%",
    ),
    Figure(
        "wake",
        "submitted to first step, idle, p50, against NOTIFY with an insert",
        ("windlass.wake", "limit.notify"),
        must=3,
        aim=2,
        most=True,
    ),
    Figure(
        "submit",
        "submit, one transaction each, against raw single-row commits",
        ("windlass.submit", "limit.pg.1"),
        must=0.5,
        aim=0.85,
    ),
    Figure(
        "claim",
        "claim p99 with 1,000,000 finished and 100,000 waiting rows, against 1,000",
        ("windlass.claim",),
        must=1.5,
        aim=1.1,
        most=True,
    ),
    Figure(
        "kill",
        "worker with 100 jobs in hand killed, until each runs elsewhere, p99",
        ("windlass.kill",),
        must=5,
        aim=4,
        unit="s",
        most=True,
    ),
    Figure(
        "fairness",
        "others that begin before another owner's single job, in slots",
        ("windlass.fairness",),
        must=2,
        aim=1,
        most=True,
    ),
    Figure(
        "memory",
        "a worker's memory after 100,000 jobs",
        ("windlass.memory",),
        must=100,
        aim=60,
        unit="MiB",
        most=True,
    ),
    Figure(
        "flat",
        "the same, against after 20,000 jobs",
        ("windlass.memory",),
        must=1.15,
        aim=1.05,
        most=True,
        detail=":growth",
    ),
]
