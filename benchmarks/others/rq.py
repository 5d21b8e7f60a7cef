"""RQ on Redis: its default worker, which forks for every job, and the one that does not."""

from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.registry import FinishedJobRegistry

from benchmarks.others.serving import URL, serve
from benchmarks.stores import Store


def nothing() -> None:
    """The job."""


def fill(count: int) -> None:
    """Enqueue so many jobs."""
    queue = Queue(connection=Redis.from_url(URL))
    job = "benchmarks.others.rq.nothing"
    for _ in range(0, count, 100):
        queue.enqueue_many([Queue.prepare_data(job) for _ in range(100)])


def drain(at_once: int, forks: int) -> None:
    """Work until told to stop."""
    connection = Redis.from_url(URL)
    kind = Worker if forks else SimpleWorker
    kind([Queue(connection=connection)], connection=connection).work(logging_level="WARNING")


def finished(store: Store, count: int) -> int:
    """How many jobs the store says are finished."""
    found: int = store.redis.zcard(FinishedJobRegistry.key_template.format("default"))
    return found


if __name__ == "__main__":
    serve(fill, drain)
