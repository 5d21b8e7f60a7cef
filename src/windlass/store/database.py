"""The datastore as the rest of the house sees it: reading, writing, and the fence."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import CursorResult, Executable, select
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import BigInteger, Float

from windlass.engine.lease import Lease, WorkerId
from windlass.errors import LeaseLost, Refused, Transient
from windlass.store.connection import Connection, Rows, to_its_end
from windlass.store.notify import Notifier
from windlass.store.prepared import Prepared
from windlass.store.spare import FROZEN, Spare
from windlass.store.sqlite import Sqlite
from windlass.store.tables import workers

MOST = 8  # transactions side by side in one process; the others wait
PATIENCE = 30.0  # seconds that they wait
NOT_THERE = InterfaceError | asyncpg.InterfaceError  # as SQLAlchemy says it, and the driver
# What a constraint forbids, as SQLAlchemy says it, and the driver: deferred ones speak at a commit.
FORBIDDEN = (IntegrityError, sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)
AWAY = ("08", "40", "53", "57P", "55P03")  # SQLSTATEs after which asking again may help


class now(GenericFunction[float]):
    """The datastore's clock, in seconds since 1970."""

    identifier = "windlass_now"
    type = Float()
    inherit_cache = True


@compiles(now, "sqlite")
def _sqlite_now(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _postgresql_now(*_: Any, **__: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::float8"


class greatest(GenericFunction[int]):
    """The largest of its arguments."""

    identifier = "windlass_greatest"
    type = BigInteger()
    inherit_cache = True


@compiles(greatest, "sqlite")
def _sqlite_greatest(element: Any, compiler: Any, **more: Any) -> str:
    return f"max({compiler.process(element.clauses, **more)})"


class PostgresFetch:
    """A connection of the driver's own: what is prepared goes past SQLAlchemy."""

    dialect = "postgresql"

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    async def fetch(self, statement: Prepared, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a prepared statement."""
        text = statement.on(self.dialect)
        rows: Sequence[Sequence[Any]] = await self.driver.fetch(
            text, *statement.values(self.dialect, values)
        )
        return rows


class PostgresConnection(PostgresFetch):
    """One transaction's connection."""

    def __init__(self, inner: AsyncConnection, driver: Any) -> None:
        super().__init__(driver)
        self.inner = inner

    async def execute(
        self, statement: Executable, values: dict[str, Any] | Rows | None = None
    ) -> CursorResult[Any]:
        """Run a statement."""
        return await self.inner.execute(statement, values)

    async def run_all(self, statement: Prepared, rows: Rows) -> None:
        """Run it for each row, in one round trip."""
        text = statement.on(self.dialect)
        if len(rows) == 1:
            await self.driver.fetch(text, *statement.values(self.dialect, rows[0]))
        else:
            values = [statement.values(self.dialect, row) for row in rows]
            await self.driver.executemany(text, values)

    async def drop(self) -> None:
        """Let go of it at once, in whatever state it is."""
        self.driver.terminate()
        await self.inner.invalidate()
        await self.inner.close()


# Plans are kept; one that was made while a table was empty must do when it has filled.
PLANS = {"enable_seqscan": "off", "jit": "off"}


class Postgres:
    """A server: a few connections, kept; a pool's check-out and reset would cost more than most
    transactions.
    """

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_async_engine(
            "postgresql+asyncpg" + url[url.index("://") :],
            poolclass=NullPool,
            hide_parameters=True,  # errors are logged, and parameters may be secrets
            isolation_level="AUTOCOMMIT",  # transactions are ours to begin and to end
            connect_args={
                "timeout": 10,
                "command_timeout": 60,
                "server_settings": FROZEN | PLANS,
            },
        )
        self.spare = Spare(url)
        self.room = asyncio.Semaphore(MOST)
        self.idle: list[PostgresConnection] = []

    def write(self, *, lasting: bool = True) -> AbstractAsyncContextManager[PostgresConnection]:
        """A transaction, always on the disk: what a server's crash took we would not miss."""
        return self.transaction("BEGIN")

    async def fetch(self, statement: Prepared, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a statement that commits itself: seen through, or nobody would know its outcome."""
        async with self.entered(), self.spare.connection() as driver:
            doing = PostgresFetch(driver).fetch(statement, values)
            return await to_its_end(asyncio.ensure_future(doing))

    def read(self) -> AbstractAsyncContextManager[PostgresConnection]:
        """A snapshot."""
        return self.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    @asynccontextmanager
    async def transaction(self, begin: str) -> AsyncIterator[PostgresConnection]:
        """A transaction that begins so."""
        async with self.entered():
            while self.idle and self.idle[-1].driver.is_closed():
                await self.idle.pop().drop()
            connection = self.idle.pop() if self.idle else await self.connect()
            try:
                await connection.driver.execute(begin)
                yield connection
                await connection.driver.execute("COMMIT")
            except BaseException as error:
                await self.undo(connection, error)
                raise
            self.idle.append(connection)

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Room for one transaction; TimeoutError if there is none for too long."""
        if self.room.locked():
            async with asyncio.timeout(PATIENCE):
                await self.room.acquire()
        else:
            await self.room.acquire()
        try:
            yield
        finally:
            self.room.release()

    async def connect(self) -> PostgresConnection:
        """One more connection."""
        inner = await self.engine.connect()
        return PostgresConnection(inner, (await inner.get_raw_connection()).driver_connection)

    async def undo(self, connection: PostgresConnection, error: BaseException) -> None:
        """Roll back; what was cut off in the middle, or does not answer, is not used again."""
        if isinstance(error, Exception):
            try:
                await connection.driver.execute("ROLLBACK", timeout=5)
                return self.idle.append(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                pass
        await connection.drop()

    async def close(self) -> None:
        """Close what is idle."""
        while self.idle:
            await self.idle.pop().inner.close()
        await self.spare.close()
        await self.engine.dispose()


class Database:
    """Transactions on the datastore of a URL; what may go well another time is Transient.

    `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        scheme = url.partition(":")[0]
        self.rung: set[asyncio.Event] = set()  # by whatever is written
        self.hailed: set[asyncio.Event] = set()  # when jobs may have become ready
        self.inner: Sqlite | Postgres
        self.notifier: Notifier | None = None
        if scheme == "sqlite":
            self.inner = Sqlite(url.removeprefix("sqlite:///"))
        elif scheme in ("postgresql", "postgres"):
            self.inner = Postgres(url)
            self.notifier = Notifier(url, self.wake)
        else:
            raise Refused(f"a database is sqlite:///FILE or postgresql://..., not {scheme}:")

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.inner.dialect

    @asynccontextmanager
    async def write(
        self, by: Lease | WorkerId | None = None, *, quiet: bool = False, lasting: bool = True
    ) -> AsyncIterator[Connection]:
        """A transaction; with a lease or a worker it begins at the fence.

        Whoever waits for changes is woken after the commit, unless it is `quiet`. One that is not
        `lasting` survives us at once, but the machine's crash only with the next that is.
        """
        with translated():
            async with self.inner.write(lasting=lasting) as connection:
                if by is not None:
                    await fence(connection, by)
                yield connection
        if not quiet:
            self.ring()

    async def fetch(self, statement: Prepared, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a statement as a transaction, on a server: it needs no other round trip.

        Who waits for changes is not woken.
        """
        assert isinstance(self.inner, Postgres)
        with translated():
            return await self.inner.fetch(statement, values)

    def speaks(self) -> bool:
        """Whether a statement that makes a job ready tells other processes itself."""
        return self.notifier is not None and self.notifier.speaks()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A snapshot: every statement sees the same."""
        with translated():
            async with self.inner.read() as connection:
                yield connection

    def ring(self, *, ready: bool = False, spoken: bool = False) -> None:
        """Something was written in this process: wake whoever waits for changes, anywhere.

        Those elsewhere have been woken if it was `spoken` of.
        """
        self.wake(ready)
        if self.notifier is not None and not spoken:
            self.notifier.ring(ready)

    def wake(self, ready: bool) -> None:
        """Wake whoever waits for changes (or for jobs that are ready) in this process."""
        for bell in (*self.rung, *self.hailed) if ready else self.rung:
            bell.set()

    async def close(self) -> None:
        """Close every connection."""
        if self.notifier is not None:
            await self.notifier.close()
        await self.inner.close()


async def fence(connection: Connection, by: Lease | WorkerId) -> None:
    """Go on only while the worker lives: a death waits for us, or we find no row (LeaseLost)."""
    worker = by.worker if isinstance(by, Lease) else by
    row = select(workers.c.id).where(workers.c.id == worker)
    if connection.dialect == "postgresql":
        row = row.with_for_update(read=True, key_share=True)
    if (await connection.execute(row)).first() is None:
        raise LeaseLost(f"worker {worker} was declared dead")


class translated:
    """What the driver raises, as our own errors where something else is to be done."""

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise Transient in place of what says "come again"."""
        if isinstance(error, DBAPIError) and may_help(error):
            raise Transient(f"the datastore is away: {first_line(error.orig)}") from error
        if isinstance(error, asyncpg.PostgresError) and str(error.sqlstate).startswith(AWAY):
            raise Transient(f"the datastore is away: {first_line(error)}") from error
        if isinstance(error, sqlite3.OperationalError) and lite_may_help(error):
            raise Transient(f"the datastore is away: {first_line(error)}") from error
        if isinstance(error, OSError | NOT_THERE | TimeoutError):
            raise Transient(f"the datastore is away: {first_line(error)}") from error


def may_help(error: DBAPIError) -> bool:
    """Whether asking again may help."""
    if error.connection_invalidated:
        return True
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state:
        return state.startswith(AWAY)
    return lite_may_help(error.orig)


def lite_may_help(error: BaseException | None) -> bool:
    """Whether SQLite's trouble may pass: it knows no SQLSTATE, only words."""
    words = str(error).lower()
    return any(one in words for one in ("locked", "disk i/o", "closed", "full", "unable to open"))


def first_line(error: BaseException | None) -> str:
    """An error in a line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
