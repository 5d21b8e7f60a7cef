"""Jobs as people see them: rows, folded with what the journal tells."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, TextClause, select

from windlass.engine.job import Asker, Phase, Status, Trouble
from windlass.engine.journal import Event, EventKind
from windlass.engine.lease import JobId
from windlass.engine.policy import Direction
from windlass.engine.record import Record, StepRow, StepState
from windlass.store import line
from windlass.store.access import Access
from windlass.store.claiming import History, histories
from windlass.store.connection import Connection
from windlass.store.intents import cancelled
from windlass.store.living import PHASES, of_the_living
from windlass.store.rows import past_of, scope_of, trouble_of
from windlass.store.tables import AMISS, events, jobs

log = structlog.get_logger()


@dataclass(frozen=True)
class View:
    """A job as it is shown; `number` is that of the newest event that it tells of."""

    id: JobId
    kind: str
    version: int
    data: dict[str, Any]
    title: str
    owner: str
    asker: Asker
    subject: dict[str, str]
    phase: Phase
    direction: Direction
    percent: float | None
    steps: Sequence[StepRow]
    trouble: Trouble | None
    waiting_for: Sequence[JobId]
    cancel_asked: bool
    retry_of: JobId | None
    retried_by: JobId | None
    created: float
    started: float | None
    ended: float | None
    due: float | None
    priority: int
    number: int


@dataclass(frozen=True)
class Filter:
    """Which jobs to list, newest first; `before` is the last one of the page before."""

    owner: str | None = None
    domain: str | None = None
    application: str | None = None
    statuses: Collection[Status] = ()
    phases: Collection[Phase] = ()
    kind: str | None = None
    since: float | None = None
    ids: Collection[int] = ()
    before: int | None = None
    limit: int = 50


class Jobs:
    """What was asked for, and how far it is."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def get(self, id: JobId) -> View | None:
        """A job with all that is told of it."""
        async with self.access.read() as connection:
            row = (await connection.execute(select(jobs).where(jobs.c.id == id))).first()
            if row is None:
                return None
            told = (await histories(connection, [id])).get(id, ())
            return (await views(connection, [row], {id: told}))[0]

    async def page(self, wanted: Filter) -> list[View]:
        """A page of jobs; page ten thousand costs what the first one costs."""
        async with self.access.read() as connection:
            rows = (await connection.execute(query(wanted))).all()
            live = [JobId(row.id) for row in rows if row.history is None]
            told = await histories(connection, live) if live else {}
            return await views(connection, rows, told)

    async def since(self, id: JobId, number: int) -> list[Event]:
        """The events of a job after one."""
        after = select(events).where(events.c.job == id, events.c.number > number)
        async with self.access.read() as connection:
            history = History()
            for row in await connection.execute(after.order_by(events.c.number)):
                history.take(row)
            return [event for event in history.events if event.number > number]

    async def open(self, kind: str) -> list[dict[str, Any]]:
        """The data of the jobs of a kind that may still go on."""
        goes_on = of_the_living(select(jobs.c.data).where(jobs.c.kind == kind))
        async with self.access.read() as connection:
            rows = await connection.execute(goes_on)
            return [json.loads(data) for data in rows.scalars()]


def query(wanted: Filter) -> Select[Any]:
    """The statement of a page."""
    which: list[ColumnElement[bool] | TextClause] = []
    for column in ("owner", "domain", "application", "kind"):
        if (value := getattr(wanted, column)) is not None:
            which.append(jobs.c[column] == value)
    phases = set(wanted.phases) | {p for p in Phase if p.status in wanted.statuses}
    if wanted.phases and wanted.statuses:
        phases = {phase for phase in wanted.phases if phase.status in wanted.statuses}
    if wanted.phases or wanted.statuses:
        which.append(shown_in(phases))
        if phases <= PHASES:
            which.append(jobs.c.id.in_(of_the_living(select(jobs.c.id))))
        elif all(phase.status is Status.FAILED for phase in phases):
            which.append(AMISS)
    if wanted.since is not None:
        which.append(jobs.c.created >= wanted.since)
    if wanted.ids:
        which.append(jobs.c.id.in_(wanted.ids))
    if wanted.before is not None:
        which.append(jobs.c.id < wanted.before)
    return select(jobs).where(*which).order_by(jobs.c.id.desc()).limit(wanted.limit)


def shown_in(phases: Collection[Phase]) -> ColumnElement[bool]:
    """Whether a job is shown in one of these phases, as `view` has it."""
    plain = jobs.c.phase.in_(phases)
    if (Phase.RUNNING in phases) is (Phase.UNDOING in phases):
        return plain
    told = select(events.c.number)
    told = told.where(events.c.job == jobs.c.id, events.c.kinds.contains(EventKind.TURNED))
    turned = (jobs.c.phase == Phase.RUNNING) & told.exists()
    return plain | turned if Phase.UNDOING in phases else plain & ~turned


async def views(
    connection: Connection, rows: Sequence[Any], told: Mapping[JobId, Sequence[Event]]
) -> list[View]:
    """Rows as views; what is live is folded from its events."""
    ids = [JobId(row.id) for row in rows]
    stopped = await cancelled(connection, ids) if ids else set()
    found = []
    for row in rows:
        before = await waited_for(connection, row) if row.phase == Phase.WAITING else ()
        found.append(view(row, told.get(JobId(row.id), ()), JobId(row.id) in stopped, before))
    return found


async def waited_for(connection: Connection, row: Any) -> list[JobId]:
    """The jobs that a waiting one waits for: by the very function that decides it."""
    scope = scope_of(row.scope)
    standing = await line.read(connection, scope.roots())
    return line.waits(scope, [one for one in standing if one.place < row.place])


def view(row: Any, told: Sequence[Event], stopped: bool, before: Iterable[JobId]) -> View:
    """A row with what the journal tells of it."""
    record = readable(row.id, told)
    phase = Phase(row.phase)
    if phase is Phase.RUNNING and record.direction is Direction.UNDO:
        phase = Phase.UNDOING  # the column is written when a run ends, the turn while it goes on
    ended = row.history is not None
    return View(
        id=JobId(row.id),
        kind=row.kind,
        version=row.version,
        data=json.loads(row.data),
        title=row.title,
        owner=row.owner,
        asker=Asker(**json.loads(row.asker)),
        subject=json.loads(row.subject),
        phase=phase,
        direction=record.direction,
        percent=row.percent if phase.ended or not told else record.percent,
        steps=record.steps or steps_of(row.history),
        trouble=trouble_of(row.trouble) if ended or phase.ended else current(record),
        waiting_for=list(before),
        cancel_asked=stopped,
        retry_of=row.retry_of,
        retried_by=row.retried_by,
        created=row.created,
        started=row.started,
        ended=row.ended,
        due=row.due,
        priority=row.priority,
        number=told[-1].number if told else 0,
    )


def readable(job: JobId, told: Iterable[Event]) -> Record:
    """What the events tell, as far as they can be read: a bad job is shown like all others."""
    record = Record()
    try:
        for event in told:
            record.apply(event)
    except Exception as error:
        log.warning("job.unreadable", job=job, why=str(error))
    return record


def current(record: Record) -> Trouble | None:
    """What a job that goes on struggles with."""
    failing = [row.trouble for row in record.steps if row.due is not None and row.trouble]
    return record.reason or (failing[0] if failing else None)


def steps_of(history: str | None) -> list[StepRow]:
    """The steps of a compact history."""
    return [
        StepRow(
            number=number,
            stage=step.stage,
            kind=step.kind,
            version=0,
            data={},
            title=step.title,
            one_way=step.one_way,
            state=StepState(step.state),
            tries=step.tries,
            begun=step.begun,
            ended=step.ended,
            result=step.result,
        )
        for number, step in enumerate(past_of(history) if history else [])
    ]
