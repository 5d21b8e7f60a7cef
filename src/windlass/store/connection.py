"""A connection to either datastore, with one face."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import CursorResult, Executable

from windlass.store.prepared import Prepared

Rows = Sequence[dict[str, Any]]
T = TypeVar("T")


async def to_its_end(doing: asyncio.Future[T]) -> T:
    """What it comes to; a caller who is cancelled waits too, so that the outcome is known."""
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait({doing})
        raise


class Fetch(Protocol):
    """Runs what is prepared."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""

    async def fetch(self, statement: Prepared, values: dict[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a prepared statement: its rows."""


class Connection(Fetch, Protocol):
    """Runs statements in one transaction."""

    async def execute(
        self, statement: Executable, values: dict[str, Any] | Rows | None = None
    ) -> CursorResult[Any]:
        """Run a statement; many rows of values run it once for each."""

    async def run_all(self, statement: Prepared, rows: Rows) -> None:
        """Run a prepared statement once for each row of values."""
