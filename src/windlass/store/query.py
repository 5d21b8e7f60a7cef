"""Selects that many steps make: prepared, for one row with the names of its columns."""

from types import SimpleNamespace
from typing import Any

from sqlalchemy import Select

from windlass.store.connection import Fetch
from windlass.store.prepared import Prepared


class Query(Prepared):
    """A prepared select for one row."""

    def __init__(self, statement: Select[Any]) -> None:
        super().__init__(statement)
        self.columns = statement.selected_columns.keys()

    async def first(self, connection: Fetch, **values: Any) -> Any:
        """The first row, or None."""
        rows = await connection.fetch(self, values)
        return SimpleNamespace(**dict(zip(self.columns, rows[0], strict=True))) if rows else None
