"""Rows to the engine's records and back."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Self

import msgspec
from sqlalchemy import Row

from windlass.engine.job import Trouble
from windlass.engine.journal import Event, EventKind, PastStep
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


# These tell that somebody is at it, and not that it came to anything.
NO_OUTCOME = frozenset((EventKind.BEGUN, EventKind.UNDOING, EventKind.INTERRUPTED, EventKind.LOG))


class EventsRow(msgspec.Struct, gc=False):
    """Events of a job that are written together, under one lease, as the table has them.

    One row for all of them: a row costs more than everything that is in it (docs/decisions/0012).
    """

    job: int
    number: int
    lease: int
    kinds: str
    outcome: int | None
    told: str

    @classmethod
    def of(cls, job: JobId, lease: int, events: Sequence[Event]) -> Self:
        """The row of some events; there is one at least."""
        outcome = None
        for event in events:
            if event.kind not in NO_OUTCOME:
                outcome = event.number
        kinds = " ".join([event.kind for event in events])
        return cls(job, events[-1].number, lease, kinds, outcome, dumps(events))

    def values(self) -> dict[str, Any]:
        """With the columns' names."""
        return msgspec.structs.asdict(self)


def events_of(row: Row[Any]) -> Iterator[Event]:
    """The events of a row, one after the other, until one cannot be read."""
    for number, kind, step, at, detail in loads(row.told):
        yield Event(number, EventKind(kind), step, at, detail)


def past_of(text: str) -> list[PastStep]:
    """A stored history."""
    return msgspec.convert(loads(text), list[PastStep])


def trouble_of(text: str | None) -> Trouble | None:
    """A stored trouble."""
    return Trouble(**loads(text)) if text else None


def scope_text(scope: Scope) -> str:
    """A scope as its job keeps it."""
    return dumps(scope.rows())


def scope_of(text: str) -> Scope:
    """A scope from its job's column."""
    return Scope.of((path, exclusive) for path, exclusive in loads(text))
