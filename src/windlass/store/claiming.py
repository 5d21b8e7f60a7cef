"""Claiming: ready jobs become a worker's; what has been written of them comes along."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import select

from windlass.engine.journal import Claimed, Event
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import Refused
from windlass.store.connection import Connection
from windlass.store.hot import Row
from windlass.store.rows import events_of, loads
from windlass.store.tables import events


def claimed(row: Row, worker: WorkerId, told: Sequence[Event], *, stopped: bool) -> Claimed:
    """A job as its new holder gets it."""
    id, kind, version, data, lease, crashes, awaited = row
    return Claimed(
        lease=Lease(worker, JobId(id), lease),
        kind=kind,
        version=version,
        data=loads(data),
        crashes=crashes,
        events=told,
        cancelled=stopped,
        awaited=bool(awaited),
    )


class History(Sequence[Event]):
    """A job's events, in order; they end before one that cannot be read, and who reads on is told.

    So one bad job fails alone, and not with it all those that are read beside it.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.torn: str | None = None

    def take(self, row: SqlRow[Any]) -> None:
        """Some more."""
        if self.torn is None:
            try:
                self.events.extend(events_of(row))
            except (ValueError, TypeError) as error:
                after = self.events[-1].number if self.events else 0
                self.torn = f"after event {after} of job {row.job} nothing can be read: {error}"

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, which: Any) -> Any:
        return self.events[which]

    def __iter__(self) -> Iterator[Event]:
        yield from self.events
        if self.torn is not None:
            raise Refused(self.torn)


async def histories(connection: Connection, of: Collection[JobId]) -> dict[JobId, History]:
    """Every event of these jobs, in order."""
    rows = await connection.execute(
        select(events).where(events.c.job.in_(of)).order_by(events.c.job, events.c.number)
    )
    found: dict[JobId, History] = {}
    for row in rows:
        found.setdefault(JobId(row.job), History()).take(row)
    return found
