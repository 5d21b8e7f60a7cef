"""A connection to either datastore, with one face."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import CursorResult, Executable

Rows = Sequence[dict[str, Any]]


class Connection(Protocol):
    """Runs statements in one transaction."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""

    async def execute(
        self, statement: Executable, values: dict[str, Any] | Rows | None = None
    ) -> CursorResult[Any]:
        """Run a statement; many rows of values run it once for each."""
