"""The pen of a job's holder: numbers the events, tells the record, and makes them durable."""

import time
from collections.abc import Awaitable, Sequence
from typing import Any

from windlass.engine.journal import Event, EventKind, Journal
from windlass.engine.lease import Lease
from windlass.engine.record import Record


class Pen:
    """Only the holder of a job writes its events, so that their numbers have no gaps."""

    def __init__(self, journal: Journal, lease: Lease, record: Record) -> None:
        self.journal = journal
        self.lease = lease
        self.record = record
        self.wet: list[Event] = []  # noted, and not durable yet

    def note(self, kind: EventKind, step: int | None = None, **detail: Any) -> None:
        """Write something down; it is durable after the next flush."""
        event = Event(self.record.number + 1, kind, step, time.time(), detail)
        self.record.apply(event)
        self.wet.append(event)

    def flush(self) -> Awaitable[object]:
        """Make durable what was noted; with other jobs' events, in one commit."""
        return self.journal.write(self.lease, self.blot())

    def blot(self) -> list[Event]:
        """Take what was noted, to write it some other way."""
        events, self.wet = self.wet, []
        return events

    def take_up(self, events: Sequence[Event]) -> None:
        """These were not written after all; that the job has ended is not true any more."""
        self.wet = [event for event in events if event.kind is not EventKind.ENDED]
        self.record.number -= len(events) - len(self.wet)
