"""The bench: servers, folders and filled stores, for as long as one measures."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.contenders import Contender
from benchmarks.processes import Failed, Process, finish, running
from benchmarks.servers import Beanstalkd, Postgres, Redis
from benchmarks.stores import Store

WINDLASS = os.environ.get("WINDLASS_PYTHON", sys.executable)  # a Python that has windlass


@dataclass
class Bench:
    """Where everything is measured."""

    folder: Path
    quick: bool
    profile: Path | None
    postgres: Postgres
    redis: Redis
    beanstalkd: Beanstalkd
    filled: dict[tuple[str, ...], str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    # -- databases -----------------------------------------------------------------------------

    def fresh(self, store: str) -> str:
        """The URL of a new, empty store."""
        name = f"b{next(self.numbers)}"
        if store == "redis":
            with Store(self.redis.url) as redis:
                redis.redis.flushall()
            return self.redis.url
        if store == "sqlite":
            return f"sqlite:///{self.folder}/{name}.db"
        with self.admin() as server:
            server.run(f"CREATE DATABASE {name}")
        return self.postgres.url(name)

    @contextmanager
    def empty(self, store: str) -> Iterator[str]:
        """The URL of a new, empty store, for a while."""
        url = self.fresh(store)
        try:
            yield url
        finally:
            self.drop(url)

    def admin(self) -> Store:
        """The PostgreSQL server itself."""
        return Store(self.postgres.url("postgres"))

    def copy(self, url: str) -> str:
        """A copy of a store that nobody is connected to."""
        if url.startswith("sqlite"):
            to = self.fresh("sqlite")
            shutil.copyfile(url.removeprefix("sqlite:///"), to.removeprefix("sqlite:///"))
            return to
        name, there = f"b{next(self.numbers)}", url.rpartition("/")[2]
        with self.admin() as server:
            server.run(f"CREATE DATABASE {name} TEMPLATE {there}")
            server.run("CHECKPOINT")  # so that nobody pays for writing the copy
        return self.postgres.url(name)

    def drop(self, url: str) -> None:
        """Throw a store away."""
        if url.startswith("sqlite"):
            path = url.removeprefix("sqlite:///")
            for end in ("", "-wal", "-shm"):
                Path(path + end).unlink(missing_ok=True)
        elif url.startswith("postgresql"):
            with self.admin() as server:
                server.run(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    # -- contenders ----------------------------------------------------------------------------

    def jobs(self, contender: Contender) -> int:
        """How many jobs it drains."""
        return contender.quick if self.quick else contender.jobs

    @contextmanager
    def ready(self, contender: Contender) -> Iterator[str]:
        """The URL of a store filled with jobs, with fresh statistics, for one drain."""
        if contender.lasting:
            key = (contender.store, str(self.jobs(contender)), *contender.filling)
            if key not in self.filled:
                self.filled[key] = self.fill(contender)
            url = self.copy(self.filled[key])
        else:
            url = self.fill(contender)
        try:
            yield url
        finally:
            self.drop(url)

    def fill(self, contender: Contender) -> str:
        """A new store with all the jobs."""
        self.empty_queue(contender)
        url = self.fresh(contender.store)
        self.command(contender, contender.filling, url)
        settle(url)
        return url

    def empty_queue(self, contender: Contender) -> None:
        """Forget what others have put into its queue."""
        if contender.queue == "beanstalkd":
            self.beanstalkd.empty()
        if contender.queue == "redis":
            self.fresh("redis")

    def command(self, contender: Contender, words: tuple[str, ...], url: str) -> str:
        """Run one of a contender's commands to its end; what it printed."""
        argv = self.argv(contender, words)
        return finish(contender.name, argv, self.env(contender, url), self.log(contender.name))

    @contextmanager
    def worker(self, contender: Contender, url: str, *more: str) -> Iterator[Process]:
        """Its worker process."""
        argv = self.argv(contender, (*contender.argv, *more))
        if self.profile is not None and contender.ours:
            output = self.profile / f"{contender.name}.prof"
            argv = [argv[0], "-m", "cProfile", "-o", str(output), *argv[1:]]
        env = self.env(contender, url)
        with running(contender.name, argv, env, self.log(contender.name)) as process:
            yield process

    def argv(self, contender: Contender, words: tuple[str, ...]) -> list[str]:
        """The whole command, by the Python that it belongs to."""
        python = WINDLASS if contender.ours else sys.executable
        filled = [word.format(count=self.jobs(contender)) for word in words]
        return [python, "-m", *filled]

    def env(self, contender: Contender, url: str) -> dict[str, str]:
        """What its processes are told."""
        queues = {"beanstalkd": self.beanstalkd.url, "redis": self.redis.url}
        queue = queues.get(contender.queue, f"{contender.queue}:")
        return {"BENCH_URL": url, "BENCH_QUEUE": queue}

    def log(self, name: str) -> Path:
        """Where its processes write."""
        return self.folder / f"{name}.log"


@contextmanager
def bench(quick: bool, profile: Path | None = None) -> Iterator[Bench]:
    """Start everything; stop everything, also on errors."""
    folder = Path(tempfile.mkdtemp(prefix="bench"))
    servers = []
    try:
        for kind in (Postgres, Redis, Beanstalkd):
            servers.append(server := kind(folder))
            server.start()
        yield Bench(folder, quick, profile, *servers)
    finally:
        for server in servers:
            with suppress(Failed):
                server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def settle(url: str) -> None:
    """Fresh statistics, and nothing left over from filling."""
    if url.startswith("redis"):
        return
    with Store(url) as store:
        if store.file is not None:
            store.run("PRAGMA wal_checkpoint(TRUNCATE)")
            store.run("ANALYZE")
            store.run("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            store.run("VACUUM ANALYZE")
