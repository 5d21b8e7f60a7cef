"""Rows to the engine's records and back."""

import json
from typing import Any

import msgspec
from sqlalchemy import Row

from windlass.engine.job import Trouble
from windlass.engine.journal import Event, EventKind
from windlass.engine.lease import JobId
from windlass.engine.scope import Scope


def dumps(value: Any) -> str:
    """JSON in ASCII: no NUL and no lone surrogate ever reaches a datastore."""
    try:
        return msgspec.json.encode(value).decode("ascii")
    except UnicodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


def loads(text: str) -> Any:
    """What was written so."""
    try:
        return msgspec.json.decode(text)
    except ValueError:  # half a surrogate pair, or no JSON at all
        return json.loads(text)


class EventRow(msgspec.Struct, gc=False):
    """An event as the table has it, column by column."""

    job: int
    number: int
    kind: str
    step: int | None
    lease: int
    at: float
    detail: str

    @classmethod
    def of(cls, event: Event) -> "EventRow":
        """The row of an event."""
        detail = dumps(event.detail) if event.detail else "{}"
        return cls(event.job, event.number, event.kind, event.step, event.lease, event.at, detail)

    def values(self) -> dict[str, Any]:
        """With the columns' names."""
        return msgspec.structs.asdict(self)


def event_of(row: Row[Any]) -> Event:
    """An event from its row."""
    return Event(
        job=JobId(row.job),
        number=row.number,
        kind=EventKind(row.kind),
        step=row.step,
        lease=row.lease,
        at=row.at,
        detail=loads(row.detail),
    )


def trouble_of(text: str | None) -> Trouble | None:
    """A stored trouble."""
    return Trouble(**loads(text)) if text else None


def scope_text(scope: Scope) -> str:
    """A scope as its job keeps it."""
    return dumps(scope.rows())


def scope_of(text: str) -> Scope:
    """A scope from its job's column."""
    return Scope.of((path, exclusive) for path, exclusive in loads(text))
