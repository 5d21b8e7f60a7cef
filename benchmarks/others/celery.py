"""Celery on Redis: prefork, prefetch 64 in all, early acknowledgement, no results."""

from celery import Celery

from benchmarks.others.serving import URL, serve
from benchmarks.stores import Store

PREFETCH = 64

app = Celery("benchmarks.others.celery", broker=URL or None)
app.conf.task_ignore_result = True
app.conf.worker_hijack_root_logger = False


@app.task(name="nothing")
def nothing() -> None:
    """The job."""


def fill(count: int) -> None:
    """Enqueue so many jobs."""
    for _ in range(count):
        nothing.delay()


def drain(processes: int) -> None:
    """Work until told to stop."""
    app.conf.worker_prefetch_multiplier = PREFETCH // processes
    app.worker_main(
        ["worker", "--pool=prefork", f"--concurrency={processes}", "--loglevel=WARNING"]
    )


def finished(store: Store, count: int) -> int:
    """How many jobs have been acknowledged: they are neither queued nor a worker's."""
    left: int = store.redis.llen("celery") + store.redis.hlen("unacked")
    return count - left


if __name__ == "__main__":
    serve(fill, drain)
