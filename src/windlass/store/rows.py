"""Rows to the engine's records and back."""

import json
from typing import Any

from sqlalchemy import Row

from windlass.engine.job import Trouble
from windlass.engine.journal import Event, EventKind
from windlass.engine.lease import JobId
from windlass.engine.scope import Scope


def dumps(value: Any) -> str:
    """JSON in ASCII: no NUL and no lone surrogate ever reaches a datastore."""
    return json.dumps(value, separators=(",", ":"))


def event_row(event: Event) -> dict[str, Any]:
    """An event as the table has it."""
    return {
        "job": event.job,
        "number": event.number,
        "kind": event.kind,
        "step": event.step,
        "lease": event.lease,
        "at": event.at,
        "detail": dumps(event.detail),
    }


def event_of(row: Row[Any]) -> Event:
    """An event from its row."""
    return Event(
        job=JobId(row.job),
        number=row.number,
        kind=EventKind(row.kind),
        step=row.step,
        lease=row.lease,
        at=row.at,
        detail=json.loads(row.detail),
    )


def trouble_of(text: str | None) -> Trouble | None:
    """A stored trouble."""
    return Trouble(**json.loads(text)) if text else None


def scope_text(scope: Scope) -> str:
    """A scope as its job keeps it."""
    return dumps(scope.rows())


def scope_of(text: str) -> Scope:
    """A scope from its job's column."""
    return Scope.of((path, exclusive) for path, exclusive in json.loads(text))
