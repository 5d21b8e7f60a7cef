"""How a repository reaches the datastore: alone, under a lease, or inside a transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from windlass.engine.lease import Lease
from windlass.store.connection import Connection
from windlass.store.database import Database


class Access:
    """Transactions for repositories; those under a lease begin at its fence."""

    def __init__(
        self, database: Database, by: Lease | None = None, inside: Connection | None = None
    ) -> None:
        self.database, self.by, self.inside = database, by, inside

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A snapshot, or the transaction that we are in."""
        if self.inside is not None:
            yield self.inside
            return
        async with self.database.read() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """A transaction, or the one that we are in."""
        if self.inside is not None:
            yield self.inside
            return
        # A step's write is on the disk with the event that says the step is done, which is later.
        async with self.database.write(self.by, lasting=self.by is None) as connection:
            yield connection
