"""Who drains: the other engines and ours, with the settings and numbers of jobs of each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module

from benchmarks.stores import Store


@dataclass(frozen=True)
class Contender:
    """An engine with its settings, on a kind of store; one worker process drains `jobs` jobs."""

    name: str
    store: str  # postgresql, sqlite or redis
    jobs: int
    quick: int  # jobs with --quick
    steps: int
    at_once: int  # jobs in flight
    argv: tuple[str, ...]  # of the worker, after `python -m`
    filling: tuple[str, ...]  # of what fills, with {count}
    ours: bool = False
    queue: str = "datastore"

    @property
    def module(self) -> str:
        """Where it is written."""
        return self.argv[0]

    @property
    def finished(self) -> Callable[[Store, int], int]:
        """Counts what its store says is finished."""
        if self.ours:
            return ours_finished
        found: Callable[[Store, int], int] = import_module(self.module).finished
        return found

    @property
    def lasting(self) -> bool:
        """Whether a filled store can be kept and copied; a queue beside it cannot."""
        return self.store != "redis" and self.queue == "datastore"


def ours_finished(store: Store, count: int) -> int:
    """How many of our jobs are complete."""
    return store.count("SELECT count(*) FROM jobs WHERE phase = 'complete'")


def other(
    name: str, store: str, at_once: int, jobs: tuple[int, int], *more: str, steps: int = 1
) -> Contender:
    """One of the others; NAME.SETTING is in the file NAME. `jobs`: in full, and with --quick."""
    module = f"benchmarks.others.{name.partition('.')[0]}"
    argv = (module, "drain", str(at_once), *more)
    filling = (module, "fill", "{count}")
    return Contender(name, store, *jobs, steps, at_once, argv, filling)


# DBOS without its queue: the worker calls the workflows itself, only the tables are made before.
DIRECT = replace(
    other("dbos.direct", "postgresql", 1, (400, 60), "{count}", steps=5),
    filling=("benchmarks.others.dbos", "fill", "0"),
)

OTHERS = [
    other("procrastinate.10", "postgresql", 10, (5000, 1000)),
    other("procrastinate.20", "postgresql", 20, (5000, 1000)),
    other("pgqueuer.200", "postgresql", 200, (12000, 4000)),
    other("dbos.queue50", "postgresql", 50, (400, 200), steps=5),
    DIRECT,
    other("huey.sqlite", "sqlite", 1, (5000, 1000)),
    other("rq.fork", "redis", 1, (300, 100), "1"),
    other("rq.simple", "redis", 1, (2000, 300), "0"),
    other("dramatiq.8", "redis", 8, (8000, 2000)),
    other("celery.2", "redis", 2, (8000, 1500)),
]


def ours(store: str, steps: int, slots: int, queue: str = "datastore") -> Contender:
    """Ours: `windlass.pg.five.20`, with the queue if it is another."""
    words = ["windlass", "pg" if store == "postgresql" else store, "five" if steps == 5 else "one"]
    name = ".".join([*words, str(slots), *([queue] if queue != "datastore" else [])])
    jobs, quick = (600, 100) if slots == 1 else (12000, 1000) if steps == 1 else (5000, 500)
    return Contender(
        name,
        store,
        jobs,
        quick,
        steps,
        slots,
        ("benchmarks.ours", "work", "--slots", str(slots)),
        ("benchmarks.ours", "fill", "--count", "{count}", "--steps", str(steps)),
        ours=True,
        queue=queue,
    )


OURS = [
    *[ours(s, n, k) for s in ("postgresql", "sqlite") for n in (1, 5) for k in (1, 20, 50, 200)],
    *[ours("postgresql", n, 20, queue) for queue in ("beanstalkd", "redis") for n in (1, 5)],
]

CONTENDERS = {one.name: one for one in [*OURS, *OTHERS]}
