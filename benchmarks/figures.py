"""The figures that are asked of us: what each is made of, what it must be and should be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Values = Mapping[str, float]  # of one round, by measurement (and `measurement:detail`)


@dataclass(frozen=True)
class Figure:
    """A number made of measurements of the same round."""

    name: str
    title: str
    of: tuple[str, ...]
    value: Callable[[Values], float]
    must: float
    aim: float
    unit: str = "x"
    most: bool = False  # must and aim are the most that it may be

    def holds(self, value: float, goal: float) -> bool:
        """Whether a value reaches a goal."""
        return value <= goal if self.most else value >= goal


def ratio(ours: str, *others: str, times: float = 1.0) -> Callable[[Values], float]:
    """Ours against the best of the others."""
    return lambda values: times * values[ours] / max(values[name] for name in others)


def against(
    name: str, title: str, names: tuple[str, ...], goals: tuple[float, float], **more: object
) -> Figure:
    """A figure that is a ratio: the first of the names against the best of the rest."""
    times = float(more.pop("times", 1.0))  # type: ignore[arg-type]
    return Figure(name, title, names, ratio(*names, times=times), *goals, **more)  # type: ignore[arg-type]


def alone(name: str, title: str, of: str, goals: tuple[float, float], unit: str) -> Figure:
    """A figure that is a measurement, and may be that at most."""
    return Figure(name, title, (of,), lambda values: values[of], *goals, unit=unit, most=True)


FIGURES = [
    against(
        "one20",
        "one-step jobs, 20 in flight, against Procrastinate's best",
        ("windlass.pg.one.20", "procrastinate.10", "procrastinate.20"),
        (8, 14),
    ),
    against(
        "one200",
        "one-step jobs, 200 in flight, against pgqueuer batch 200",
        ("windlass.pg.one.200", "pgqueuer.200"),
        (0.7, 1.2),
    ),
    against(
        "five50",
        "five-step jobs, 50 in flight, against DBOS's queue with 50",
        ("windlass.pg.five.50", "dbos.queue50"),
        (40, 75),
    ),
    against(
        "five1",
        "five-step jobs, one at a time, against DBOS called directly",
        ("windlass.pg.five.1", "dbos.direct"),
        (3, 5),
    ),
    against(
        "steps20",
        "steps a second, 20 in flight, against inserts of 20 rows a commit",
        ("windlass.pg.five.20", "limit.pg.20"),
        (0.25, 0.40),
        times=5,
        unit="%",
    ),
    against(
        "sqlite200",
        "steps a second, SQLite, 200 in flight, against inserts of 100 rows a commit",
        ("windlass.sqlite.five.200", "limit.sqlite.100"),
        (0.10, 0.20),
        times=5,
        unit="%",
    ),
    against(
        "wake",
        "submitted to first step, idle, p50, against NOTIFY with an insert",
        ("windlass.wake", "limit.notify"),
        (3, 2),
        most=True,
    ),
    against(
        "submit",
        "submit, one transaction each, against raw single-row commits",
        ("windlass.submit", "limit.pg.1"),
        (0.5, 0.85),
    ),
    alone(
        "claim",
        "claim p99 with 1,000,000 finished and 100,000 waiting rows, against 1,000",
        "windlass.claim",
        (1.5, 1.1),
        "x",
    ),
    alone(
        "kill",
        "worker with 100 jobs in hand killed, until each runs elsewhere, p99",
        "windlass.kill",
        (5, 4),
        "s",
    ),
    alone(
        "fairness",
        "others that begin before another owner's single job, in slots",
        "windlass.fairness",
        (2, 1),
        "x",
    ),
    alone("memory", "a worker's memory after 100,000 jobs", "windlass.memory", (100, 60), "MiB"),
    Figure(
        "flat",
        "the same, against after 20,000 jobs",
        ("windlass.memory",),
        lambda values: values["windlass.memory:growth"],
        must=1.15,
        aim=1.05,
        most=True,
    ),
]
