"""Statements of the hot path: written once for both datastores, compiled once for each.

Running one costs a tenth of what building and compiling it anew does (docs/decisions/0011).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql import ClauseElement

DIALECTS: dict[str, Dialect] = {
    "postgresql": asyncpg.dialect(),  # type: ignore[no-untyped-call]
    "sqlite": sqlite.dialect(paramstyle="qmark"),
}


class Prepared:
    """A statement with named parameters; rows come back as plain tuples, values as they are."""

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement
        self.texts: dict[str, str] = {}
        self.names: dict[str, list[str]] = {}
        self.fixed: dict[str, Any] = {}

    def on(self, dialect: str) -> str:
        """The statement's text."""
        if dialect not in self.texts:
            compiled: Any = self.statement.compile(dialect=DIALECTS[dialect])
            self.texts[dialect] = str(compiled)
            self.names[dialect] = list(compiled.positiontup or ())
            self.fixed |= compiled.params
        return self.texts[dialect]

    def values(self, dialect: str, given: Mapping[str, Any]) -> list[Any]:
        """The parameters in the text's order; what is not given is a constant of the statement."""
        fixed = self.fixed
        return [given[name] if name in given else fixed[name] for name in self.names[dialect]]
