"""Dramatiq on Redis: one process, as many threads as asked for."""

import sys

import dramatiq
from dramatiq import cli
from dramatiq.brokers.redis import RedisBroker

from benchmarks.others.serving import URL, serve
from benchmarks.stores import Store

if URL:
    dramatiq.set_broker(RedisBroker(url=URL))


@dramatiq.actor
def nothing() -> None:
    """The job."""


def fill(count: int) -> None:
    """Enqueue so many jobs."""
    for _ in range(count):
        nothing.send()


def drain(threads: int) -> None:
    """Work until told to stop."""
    options = ["--processes", "1", "--threads", str(threads)]
    sys.argv = ["dramatiq", "benchmarks.others.dramatiq", *options]
    sys.exit(cli.main())


def finished(store: Store, count: int) -> int:
    """How many jobs have been acknowledged: their messages are gone."""
    left: int = store.redis.hlen("dramatiq:default.msgs")
    return count - left


if __name__ == "__main__":
    serve(fill, drain)
