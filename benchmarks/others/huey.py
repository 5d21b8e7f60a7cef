"""Huey on SQLite with one thread; its consumer, its settings."""

from huey import SqliteHuey

from benchmarks.others.serving import URL, serve
from benchmarks.stores import Store

huey = SqliteHuey(filename=URL.removeprefix("sqlite:///") or ":memory:", fsync=True)


@huey.task()
def nothing() -> None:
    """The job."""


def fill(count: int) -> None:
    """Enqueue so many jobs, one after another: it has no other way."""
    for _ in range(count):
        nothing()


def drain(threads: int) -> None:
    """Work until told to stop."""
    huey.create_consumer(workers=threads, periodic=False).run()


def finished(store: Store, count: int) -> int:
    """How many jobs have left the store; it takes a job out before it runs."""
    return count - store.count("SELECT count(*) FROM task")


if __name__ == "__main__":
    serve(fill, drain)
