"""DBOS on PostgreSQL: workflows of five steps, from a queue or called directly."""

import threading

from dbos import DBOS, DBOSConfig

from benchmarks.others.serving import URL, serve
from benchmarks.stores import Store

STEPS = 5
POLL = 0.05  # seconds; its default of 1.0 would be all that one sees
QUEUE = "bench"


@DBOS.step()
def step(number: int) -> int:
    """One step of a workflow."""
    return number


@DBOS.workflow()
def workflow() -> int:
    """The job."""
    return sum(step(number) for number in range(STEPS))


def launch(at_once: int) -> None:
    """Begin, with a queue of which so many run at once."""
    config = DBOSConfig(name="bench", system_database_url=URL, log_level="WARNING")
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=at_once, polling_interval_sec=POLL)


def fill(count: int) -> None:
    """Enqueue so many workflows, while none is taken; none at all makes only the tables."""
    config = DBOSConfig(name="bench", system_database_url=URL, log_level="WARNING")
    DBOS(config=config)
    DBOS.listen_queues([])
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=50, polling_interval_sec=POLL)
    for _ in range(count):
        DBOS.enqueue_workflow(QUEUE, workflow)
    DBOS.destroy()


def drain(at_once: int, directly: int = 0) -> None:
    """Work from the queue until killed; or call so many workflows, one after another."""
    launch(at_once)
    for _ in range(directly):
        workflow()
    threading.Event().wait()


def finished(store: Store, count: int) -> int:
    """How many workflows the store says are finished."""
    return store.count("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'")


if __name__ == "__main__":
    serve(fill, drain)
