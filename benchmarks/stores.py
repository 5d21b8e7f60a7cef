"""What stands in a store, read as its owner's table or list has it."""

import sqlite3
from typing import Any

import psycopg
import redis


class Store:
    """A store that is read while somebody works on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.server: psycopg.Connection[Any] | None = None
        self.file: sqlite3.Connection | None = None
        self.redis: Any = None
        if url.startswith("postgresql"):
            self.server = psycopg.connect(url, autocommit=True)
        elif url.startswith("sqlite"):
            self.file = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        else:
            self.redis = redis.Redis.from_url(url, decode_responses=True)

    def count(self, query: str) -> int:
        """The single number that a query finds; PostgreSQL and SQLite."""
        inner: Any = self.server or self.file
        return int(inner.execute(query).fetchone()[0])

    def text(self, query: str) -> str:
        """The single text that a query finds."""
        inner: Any = self.server or self.file
        return str(inner.execute(query).fetchone()[0])

    def run(self, statement: str) -> None:
        """Run a statement."""
        inner: Any = self.server or self.file
        inner.execute(statement)

    def close(self) -> None:
        """Let go of it."""
        for one in (self.server, self.file, self.redis):
            if one is not None:
                one.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
