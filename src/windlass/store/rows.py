"""Rows to the engine's records and back."""

import json
from typing import Any

import msgspec
from sqlalchemy import Row

from windlass.engine.job import Trouble
from windlass.engine.journal import Event, EventKind
from windlass.engine.lease import JobId
from windlass.engine.scope import Scope
from windlass.store.tables import events


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


def event_row(event: Event) -> tuple[Any, ...]:
    """An event as the table has it, column by column."""
    detail = dumps(event.detail) if event.detail else "{}"
    return event.job, event.number, event.kind, event.step, event.lease, event.at, detail


def event_values(event: Event) -> dict[str, Any]:
    """The same, with the columns' names."""
    return dict(zip(events.columns.keys(), event_row(event), strict=True))


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
