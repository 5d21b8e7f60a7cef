"""SQLite, embedded: statements run on the loop, only the commit's fsync waits elsewhere.

A statement takes tens of microseconds, a hop to a thread and back takes ten times that; see
docs/decisions/0008.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import CursorResult, Executable, create_engine, event
from sqlalchemy.pool import NullPool

from windlass.errors import Transient
from windlass.store.connection import Rows, to_its_end
from windlass.store.prepared import Prepared

PATIENCE = 30.0  # seconds for another process's transaction
NAP = 0.001  # seconds between looks whether it is over; the first that looks gets it


class SqliteConnection:
    """A connection, in one transaction after the other.

    They begin by the driver: what SQLAlchemy adds takes longer than many a transaction.
    """

    dialect = "sqlite"

    def __init__(self, inner: SyncConnection) -> None:
        self.inner = inner
        self.driver: sqlite3.Connection = inner.connection.driver_connection  # type: ignore[assignment]

    def commit(self) -> None:
        """Until it is on the disk, if it is to be; by SQLAlchemy, if that knows of it."""
        (self.inner if self.inner.in_transaction() else self.driver).commit()

    def rollback(self) -> None:
        """Nothing was written; SQLAlchemy must hear of a commit of its own that failed, too."""
        self.inner.rollback()
        self.driver.rollback()

    async def execute(
        self, statement: Executable, values: dict[str, Any] | Rows | None = None
    ) -> CursorResult[Any]:
        """Run a statement, here and now."""
        return self.inner.execute(statement, values)

    async def fetch(self, statement: Prepared, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a prepared statement."""
        text = statement.on(self.dialect)
        return self.driver.execute(text, statement.values(self.dialect, values)).fetchall()

    async def run_all(self, statement: Prepared, rows: Rows) -> None:
        """Run it for each row."""
        text = statement.on(self.dialect)
        self.driver.executemany(text, [statement.values(self.dialect, row) for row in rows])


class Sqlite:
    """A database file: one writer at a time in this process, any number of readers."""

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        self.engine = create_engine(
            f"sqlite:///{path}",
            poolclass=NullPool,
            hide_parameters=True,  # errors are logged, and parameters may be secrets
            connect_args={"check_same_thread": False, "timeout": 0, "isolation_level": None},
        )
        event.listen(self.engine, "connect", prepare)
        self.disk = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self.turn = asyncio.Lock()
        self.writer: SqliteConnection | None = None
        self.readers: list[SqliteConnection] = []

    def connect(self) -> SqliteConnection:
        """One more connection."""
        return SqliteConnection(self.engine.connect())

    @asynccontextmanager
    async def write(self, *, lasting: bool = True) -> AsyncIterator[SqliteConnection]:
        """A transaction that will write: it has the lock from its first moment.

        One that is not `lasting` is on the disk only with the next that is.
        """
        async with self.turn:
            connection = self.writer = self.writer or self.connect()
            connection.driver.execute(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
            await begin(connection.driver)
            try:
                yield connection
                await self.commit(connection)
            except BaseException:
                connection.rollback()
                raise

    async def commit(self, connection: SqliteConnection) -> None:
        """Until it is on the disk; a cancelled caller waits too, so that the outcome is known."""
        await to_its_end(asyncio.get_running_loop().run_in_executor(self.disk, connection.commit))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqliteConnection]:
        """A snapshot."""
        connection = self.readers.pop() if self.readers else self.connect()
        try:
            connection.driver.execute("BEGIN")
            yield connection
        finally:
            connection.rollback()
            self.readers.append(connection)

    def data_version(self) -> int | None:
        """A number that changes when somebody else has written; None while we do."""
        if self.turn.locked():
            return None
        connection = self.writer = self.writer or self.connect()
        return int(connection.driver.execute("PRAGMA data_version").fetchone()[0])

    async def close(self) -> None:
        """Close every connection."""
        for one in (self.writer, *self.readers):
            if one is not None:
                one.inner.close()
        self.writer, self.readers = None, []
        self.engine.dispose()
        self.disk.shutdown()


def prepare(connection: sqlite3.Connection, _: object) -> None:
    """What every connection needs: durability before speed, and foreign keys."""
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}")


async def begin(driver: sqlite3.Connection) -> None:
    """Take the write lock, waiting for other processes."""
    loop = asyncio.get_running_loop()
    patience = loop.time() + PATIENCE
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            if loop.time() > patience:
                raise Transient("the database has been locked for too long") from error
        await asyncio.sleep(NAP)


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether SQLite says that somebody else writes."""
    return (error.sqlite_errorcode & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
