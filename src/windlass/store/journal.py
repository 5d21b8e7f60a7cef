"""The engine's journal on either datastore."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

import structlog
from sqlalchemy import ColumnElement, Select, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from windlass.engine.hooks import FAILING
from windlass.engine.job import QUEUED, Asker, Phase, Request, Trouble
from windlass.engine.journal import Claimed, Crew, End, Event, Reserve, Submitted
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.engine.queue import Nudge
from windlass.engine.scope import Scope
from windlass.errors import Conflict, LeaseLost, NotFound, Taken, Transient
from windlass.store import claiming, counters, ending, intents, line, submission, verbs
from windlass.store.claiming import History
from windlass.store.connection import Connection
from windlass.store.database import FORBIDDEN, Database, now
from windlass.store.flusher import FIRST, LONGEST, Flusher
from windlass.store.intents import CANCEL, NO_RETURN
from windlass.store.rows import EventsRow, dumps, scope_of
from windlass.store.tables import FAILED, events, jobs, keys, workers
from windlass.store.tables import intents as intents_table

BATCH = 500  # jobs of one transaction of housekeeping
DAY = 86_400.0  # seconds that an idempotency key is remembered

# Asked for once a statement, and so before it: an index is not searched for what changes meanwhile.
MOMENT = select(now()).scalar_subquery()
INSERT = upsert(events).on_conflict_do_nothing()  # a commit of unknown outcome is sent again

T = TypeVar("T")

log = structlog.get_logger()


class SqlJournal:
    """Jobs, events and workers in the datastore."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.flusher = Flusher(database)

    # -- workers ---------------------------------------------------------------------------

    async def enlist(self, crew: Crew) -> None:
        """A worker begins."""
        async with self.database.write() as connection:
            await connection.execute(
                insert(workers).values(
                    id=crew.id,
                    host=crew.host,
                    pid=crew.pid,
                    slots=crew.slots,
                    tubes=dumps(crew.tubes),
                    skills=dumps(sorted(crew.skills)),
                    since=now(),
                )
            )

    async def retire(self, worker: WorkerId) -> list[Nudge]:
        """A worker is gone: its row is deleted, its jobs may be claimed."""
        self.flusher.forget(worker)
        async with self.database.write() as connection:
            gone = await connection.execute(
                delete(workers).where(workers.c.id == worker).returning(workers.c.id)
            )
            if gone.first() is None:
                return []  # somebody else saw it first
            freed = await connection.execute(
                update(jobs)
                .where(jobs.c.worker == worker)
                .values(worker=None, claimable=True, due=None)
                .returning(jobs.c.id, jobs.c.tube, jobs.c.priority)
            )
            return [Nudge(row.tube, JobId(row.id), row.priority) for row in freed]

    async def beat(self, worker: WorkerId) -> dict[WorkerId, int]:
        """One more beat; everybody's counters."""
        async with self.database.write(worker, quiet=True, lasting=False) as connection:
            await connection.execute(
                update(workers).where(workers.c.id == worker).values(beat=workers.c.beat + 1)
            )
            rows = await connection.execute(select(workers.c.id, workers.c.beat))
            return {WorkerId(row.id): row.beat for row in rows}

    # -- jobs ------------------------------------------------------------------------------

    async def submit(self, request: Request, reserve: Reserve | None) -> Submitted:
        """Accept a job, or refuse it."""
        try:
            if reserve is None and submission.may_enter(self.database.dialect, request):
                spoken = self.database.speaks()
                _, job = await submission.enter(self.database, request, speaks=spoken)
                self.database.ring(spoken=spoken)
                if job is not None:
                    return submission.accepted(request, job, spoken=spoken)
            async with self.database.write() as connection:
                return await submission.submit(connection, request, reserve)
        except submission.Twice:
            return await self.submit(request, reserve)
        except FORBIDDEN as error:
            raise Taken("somebody was faster: it is taken already") from error

    async def claim(
        self, crew: Crew, tubes: Collection[str], room: int, job: JobId | None = None
    ) -> list[Claimed]:
        """Up to `room` ready jobs, or just this one."""
        rows = await self.flusher.hot.claim(crew, list(tubes), room, job)
        if not rows:
            return []
        self.database.ring()
        if self.flusher.hot.forgetful:
            self.flusher.unsure.update(Lease(crew.id, JobId(row[0]), row[4]) for row in rows)
        again = [JobId(row[0]) for row in rows if row[4] > 1]
        told, stopped = await self.past(again) if again else ({}, set())
        return [
            claiming.claimed(row, crew.id, told.get(row[0], ()), stopped=row[0] in stopped)
            for row in rows
        ]

    async def disown(self, worker: WorkerId, but: Collection[Lease]) -> list[Nudge]:
        """Give back what is this worker's by its row, but for these."""
        self.flusher.forget(worker, but)
        ours = [(lease.job, lease.number) for lease in but]
        async with self.database.write(worker) as connection:
            freed = await connection.execute(
                update(jobs)
                .where(jobs.c.worker == worker, tuple_(jobs.c.id, jobs.c.lease).not_in(ours))
                .values(worker=None, claimable=True, due=None)
                .returning(jobs.c.id, jobs.c.tube, jobs.c.priority)
            )
            return [Nudge(row.tube, JobId(row.id), row.priority) for row in freed]

    async def past(self, of: list[JobId]) -> tuple[dict[JobId, History], set[JobId]]:
        """What is told of jobs that were claimed before, and which are to be taken back."""
        async with self.database.read() as connection:
            return await claiming.histories(connection, of), await intents.cancelled(connection, of)

    def write(self, lease: Lease, events: Sequence[Event]) -> Awaitable[object]:
        """Make events durable, in a commit with others."""
        return self.flusher.write(lease, events)

    async def pass_no_return(self, lease: Lease) -> bool:
        """Promise that there is no way back, unless a cancel stands."""
        async with self.database.write(lease) as connection:
            await ending.held(connection, lease)
            return await intents.promise(connection, lease.job, NO_RETURN)

    async def settle(self, lease: Lease, events: Sequence[Event], end: End) -> list[Nudge] | None:
        """Make events and the end of a run durable; tried until its outcome is known."""
        try:
            if end.phase in ending.FOR_GOOD and await self.flusher.write(lease, events, end):
                return []
            # Or its events would come after those of the next holder.
            await self.flusher.drain(lease)
            self.flusher.unsure.discard(lease)
            return await insist(lambda: self.settle_once(lease, events, end), lease.job)
        except LeaseLost:
            # Perhaps we let go of it ourselves, and only the answer was lost.
            if end.phase.ended and await insist(lambda: self.written(lease, events), lease.job):
                return []
            raise

    async def settle_once(
        self, lease: Lease, events: Sequence[Event], end: End
    ) -> list[Nudge] | None:
        """One try to settle."""
        async with self.database.write(lease) as connection:
            nudges = await ending.settle(connection, lease, end)
            if nudges is not None and events:
                await connection.execute(
                    INSERT, EventsRow.of(lease.job, lease.number, events).values()
                )
            return nudges

    async def written(self, lease: Lease, last: Sequence[Event]) -> bool:
        """Whether it was us who wrote these events: another may have had the same number."""
        if not last:
            return False
        row = EventsRow.of(lease.job, lease.number, last)
        told = select(events.c.number).where(
            events.c.job == row.job, events.c.number == row.number, events.c.told == row.told
        )
        async with self.database.read() as connection:
            return bool(await one(connection, select(told.exists())))

    async def cancel(self, job: JobId, asker: Asker, reason: str | None) -> list[Nudge]:
        """Record the wish to take a job back."""
        async with self.database.write() as connection:
            scope = await one(connection, select(jobs.c.scope).where(jobs.c.id == job))
            if scope is None:
                raise NotFound(f"there is no job {job}")
            roots = scope_of(scope).roots()
            await line.lock(connection, roots)
            phase = await intents.locked_phase(connection, job)
            if phase.ended:
                raise Conflict(f"job {job} is {phase} already", job=job)
            if phase in QUEUED:
                await intents.promise(connection, job, CANCEL, asker, reason)
                trouble = Trouble("Cancelled", reason or "it was cancelled")
                await intents.close(connection, job, Phase.CANCELLED, trouble)
                return await line.advance(connection, roots)
            await line.await_them(connection, [job])  # its end must look whether it is cancelled
            if not await intents.promise(connection, job, CANCEL, asker, reason):
                raise Conflict(
                    f"job {job} is past the point of no return and will go on to its end", job=job
                )
            return await intents.hurry(connection, job)

    async def kick(self, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
        """Send a buried job round again."""
        async with self.database.write() as connection:
            return await verbs.kick(connection, job, asker, reason)

    async def skip(self, job: JobId, asker: Asker, reason: str, step: int) -> list[Nudge]:
        """Count a step of a buried job as done by hand."""
        async with self.database.write() as connection:
            return await verbs.skip(connection, job, asker, reason, step)

    async def undo(self, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
        """Take a buried job back."""
        async with self.database.write() as connection:
            return await verbs.undo(connection, job, asker, reason)

    async def discard(self, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
        """Close a buried job as it is."""
        async with self.database.write() as connection:
            return await verbs.discard(connection, job, asker, reason)

    async def cancelled(self, of: Collection[JobId]) -> set[JobId]:
        """Which of these jobs are to be taken back."""
        async with self.database.read() as connection:
            return await intents.cancelled(connection, of)

    async def failures(self, job: JobId) -> int:
        """How often the same operation on the same scope has failed in a day, up to this job.

        The time that makes it failing is counted.
        """
        mine = select(jobs.c.kind, jobs.c.scope, jobs.c.ended).where(jobs.c.id == job).subquery()
        query = (
            select(func.count())
            .select_from(jobs)
            .join(mine, (jobs.c.kind == mine.c.kind) & (jobs.c.scope == mine.c.scope))
            .where(FAILED, jobs.c.ended.between(mine.c.ended - DAY, mine.c.ended))
        )
        async with self.database.read() as connection:
            times = int(await one(connection, query))
        if times == FAILING:
            async with self.database.write() as connection:
                kind = await one(connection, select(jobs.c.kind).where(jobs.c.id == job))
                await counters.count(connection, counters.FAILING, kind)
        return times

    # -- housekeeping ----------------------------------------------------------------------

    async def wake(self) -> list[Nudge]:
        """Let delayed and retrying jobs that are due take their place."""
        due = jobs.c.due <= MOMENT
        retrying = due & (jobs.c.phase != Phase.DELAYED)
        delayed = select(jobs.c.id).where(due, jobs.c.phase == Phase.DELAYED)
        async with self.database.read() as connection:
            again = await one(
                connection, select(jobs.c.id).where(retrying).order_by(jobs.c.due).limit(1)
            )
            late = await connection.execute(delayed.order_by(jobs.c.due).limit(BATCH))
            joining = list(late.scalars())
        nudges = await self.try_again(retrying) if again else []
        for job in joining:
            nudges += await self.fall_in(JobId(job))
        return nudges

    async def try_again(self, retrying: ColumnElement[bool]) -> list[Nudge]:
        """Those that wait for their next try wait no longer, a batch at a time."""
        nudges: list[Nudge] = []
        while True:
            async with self.database.write() as connection:
                batch = await ids(connection, retrying, jobs.c.due)
                woken = await connection.execute(
                    update(jobs)
                    .where(jobs.c.id.in_(batch))
                    .values(claimable=True, due=None)
                    .returning(jobs.c.id, jobs.c.tube, jobs.c.priority)
                )
                nudges += [Nudge(row.tube, JobId(row.id), row.priority) for row in woken]
            if len(batch) < BATCH:
                return nudges

    async def fall_in(self, job: JobId) -> list[Nudge]:
        """A delayed job that is due joins the line, at its end."""
        async with self.database.write() as connection:
            text = await one(connection, select(jobs.c.scope).where(jobs.c.id == job))
            scope = scope_of(text) if text else Scope()
            place = await line.lock(connection, scope.roots())
            row = (
                await connection.execute(
                    select(jobs.c.id, jobs.c.tube, jobs.c.priority, jobs.c.final)
                    .where(jobs.c.id == job, jobs.c.phase == Phase.DELAYED)
                    .with_for_update()
                )
            ).first()
            if row is None:
                return []
            before = await line.read(connection, scope.roots())
            blocking = await line.await_them(connection, line.waits(scope, before))
            await line.leave(connection, job)
            await line.join(connection, job, scope)
            await connection.execute(
                update(jobs)
                .where(jobs.c.id == job)
                .values(phase=Phase.WAITING, due=None, place=place)
            )
            nudges = [] if blocking else await line.make_ready(connection, [row])
            if row.final:
                nudges += await intents.supersede(connection, job, scope, before)
            return nudges

    async def prune(self, complete_after: float, rows_after: float) -> int:
        """Forget steps of what completed, and what ended long ago, a batch at a time."""
        async with self.database.write(quiet=True) as connection:
            done = jobs.c.phase == Phase.COMPLETE
            steps = await ended(connection, done, complete_after, pruned=False)
            await connection.execute(delete(events).where(events.c.job.in_(steps)))
            await connection.execute(update(jobs).where(jobs.c.id.in_(steps)).values(pruned=True))
            over = jobs.c.phase != Phase.BURIED
            gone = [
                *await ended(connection, over, rows_after, pruned=False),
                *await ended(connection, over, rows_after, pruned=True),
            ]
            for table in (events, intents_table):
                await connection.execute(delete(table).where(table.c.job.in_(gone)))
            await connection.execute(delete(jobs).where(jobs.c.id.in_(gone)))
            await connection.execute(delete(keys).where(keys.c.at < MOMENT - DAY))
            return len(steps) + len(gone)

    async def close(self) -> None:
        """Let go of the datastore."""
        await self.flusher.close()


async def insist(act: Callable[[], Awaitable[T]], job: JobId) -> T:
    """Do this as soon as the datastore is there."""
    pause = FIRST
    while True:
        try:
            return await act()
        except Transient as error:
            log.warning("datastore.away", why=str(error), job=job)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST)


async def one(connection: Connection, query: Select[Any]) -> Any:
    """The single value of a query, or None."""
    return (await connection.execute(query)).scalar_one_or_none()


async def ids(
    connection: Connection, which: ColumnElement[bool], by: ColumnElement[float | None]
) -> list[int]:
    """The next batch of such jobs, locked; what others have locked is left to them."""
    query = select(jobs.c.id).where(which).order_by(by).limit(BATCH)
    rows = await connection.execute(query.with_for_update(skip_locked=True))
    return list(rows.scalars())


async def ended(
    connection: Connection, which: ColumnElement[bool], seconds: float, *, pruned: bool
) -> list[int]:
    """The next batch of such jobs that ended so long ago, the oldest first.

    Whoever was pruned is asked for by name: to get at the others past millions of them would take
    longer with each.
    """
    old = (jobs.c.pruned == pruned) & (jobs.c.ended < MOMENT - seconds)
    return await ids(connection, which & old, jobs.c.ended)
