"""Accepting a job: its row, its place in line and its holds, in one transaction."""

import hashlib
from collections.abc import Collection
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from windlass.engine.job import Phase, Request
from windlass.engine.journal import Reserve, Submitted
from windlass.engine.known import skill
from windlass.engine.lease import JobId
from windlass.engine.queue import Nudge
from windlass.engine.scope import Scope
from windlass.errors import Conflict, Refused
from windlass.store import delays, line
from windlass.store.connection import Connection, Fetch
from windlass.store.database import now
from windlass.store.entry import ENTER, INSERT_JOB
from windlass.store.holding import hold
from windlass.store.intents import supersede
from windlass.store.line import Placed
from windlass.store.rows import dumps, scope_text
from windlass.store.tables import jobs, keys


async def submit(connection: Connection, request: Request, reserve: Reserve | None) -> Submitted:
    """Accept a job, or the one that was accepted for the same request before."""
    operation = request.operation
    scope = operation.scope
    if may_enter(connection.dialect, request):
        place, entered = await enter(connection, request)
        if entered is not None:
            await reserve_for(connection, entered, reserve)
            return accepted(request, entered)
    else:
        place = await line.lock(connection, scope.roots())
    # Under the lock: of two that come at once, the later one sees what the first has made.
    if known := await known_key(connection, request):
        return Submitted(known, fresh=False)
    # The first place that a root ever gave: nobody can be before us.
    before = await line.read(connection, scope.roots()) if place > 1 else []
    if operation.final:
        if same := same_final(before, operation.kind, scope):
            return Submitted(same, fresh=False)
    else:
        line.check_room(before)
    ahead = line.waits(scope, before)
    blocking = await line.await_them(connection, ahead, priority(request))
    phase = Phase.DELAYED if request.delay else Phase.WAITING if blocking else Phase.READY
    job = await insert_job(connection, request, scope, phase, place)
    if request.retry_of is not None:
        await try_again(connection, request.retry_of, job)
    await reserve_for(connection, job, reserve)
    if phase is Phase.DELAYED:
        await delays.stand_by(connection, job, scope)
    else:
        await line.join(connection, job, scope)
    nudges: list[Nudge] = []
    if operation.final and phase is not Phase.DELAYED:
        nudges = await supersede(connection, job, scope, before)
    await keep_key(connection, request, job)
    if phase is not Phase.READY:
        return Submitted(job, fresh=True, nudges=nudges)
    return accepted(request, job, nudges)


def accepted(
    request: Request, job: JobId, nudges: Collection[Nudge] = (), *, spoken: bool = False
) -> Submitted:
    """A job that is ready."""
    mine = Nudge(request.operation.tube, job, priority(request), spoken=spoken)
    return Submitted(job, fresh=True, nudges=[*nudges, mine])


def may_enter(dialect: str, request: Request) -> bool:
    """Whether a job can be accepted in one statement, if nobody is before it in its line."""
    special = request.key or request.delay or request.retry_of or request.operation.final
    return dialect == "postgresql" and not special and len(request.operation.scope.roots()) == 1


async def enter(
    connection: Fetch, request: Request, *, speaks: bool = False
) -> tuple[int, JobId | None]:
    """Lock the line and take the next place in it; and the job, if nobody stands there.

    If it `speaks`, workers hear of it at once.
    """
    scope = request.operation.scope
    values = values_of(request, scope, Phase.READY)
    values |= {"path": scope.roots()[0], "speaks": speaks}
    [(place, job, _)] = await connection.fetch(ENTER, values)
    return place, None if job is None else JobId(job)


async def reserve_for(connection: Connection, job: JobId, reserve: Reserve | None) -> None:
    """What the operation wants to hold."""
    if reserve is not None:
        await hold(connection, job, await reserve(connection, job))


def same_final(before: Collection[Placed], kind: str, scope: Scope) -> JobId | None:
    """The job in line that takes the same thing away already."""
    for one in before:
        same = one.final and one.kind == kind and one.scope.exclusive == scope.exclusive
        if same and one.phase is not Phase.BURIED:
            return one.job
    return None


def priority(request: Request) -> int:
    """The priority that was asked for, or the operation's."""
    return request.operation.priority if request.priority is None else request.priority


async def insert_job(
    connection: Connection, request: Request, scope: Scope, phase: Phase, place: int
) -> JobId:
    """The job's row."""
    rows = await connection.fetch(INSERT_JOB, values_of(request, scope, phase) | {"place": place})
    return JobId(rows[0][0])


def values_of(request: Request, scope: Scope, phase: Phase) -> dict[str, Any]:
    """What a job's row is made of, but for its place in line."""
    operation, subject = request.operation, request.subject
    return {
        "tube": operation.tube,
        "kind": operation.kind,
        "version": operation.version,
        "data": dumps(operation.data()),
        "skill": skill(operation.kind, operation.version),
        "machine": operation.machine,
        "title": operation.title,
        "owner": request.owner,
        "asker": dumps(vars(request.asker)),
        "subject": dumps(subject),
        "domain": subject.get("domain_id"),
        "application": subject.get("application_id"),
        "scope": scope_text(scope),
        "phase": phase,
        "claimable": phase is Phase.READY,
        "priority": priority(request),
        "final": operation.final,
        "delay": request.delay or None,
        "retry_of": request.retry_of,
    }


async def try_again(connection: Connection, failed: JobId, job: JobId) -> None:
    """Link a job with the one that it tries again; Conflict if another one does already."""
    link = update(jobs).where(jobs.c.id == failed, jobs.c.retried_by.is_(None))
    done = await connection.execute(link.values(retried_by=job).returning(jobs.c.id))
    if done.first() is None:
        first = await connection.execute(select(jobs.c.retried_by).where(jobs.c.id == failed))
        raise Conflict(f"job {failed} was tried again already", job=first.scalar_one_or_none())


# -- idempotency ---------------------------------------------------------------------------


def digest(request: Request) -> str:
    """What makes two requests the same."""
    text = dumps([request.operation.kind, request.operation.data()])
    return hashlib.sha256(text.encode()).hexdigest()


async def known_key(connection: Connection, request: Request) -> JobId | None:
    """The job that was made for this key before; Refused if it was for another request."""
    if request.key is None:
        return None
    row = (
        await connection.execute(
            select(keys.c.job, keys.c.digest).where(
                keys.c.owner == request.owner, keys.c.key == request.key
            )
        )
    ).first()
    if row is None:
        return None
    if row.digest != digest(request):
        raise Refused("this Idempotency-Key was used for another request", field="Idempotency-Key")
    return JobId(row.job)


async def keep_key(connection: Connection, request: Request, job: JobId) -> None:
    """Remember the key; the unique index decides between two that come at once."""
    if request.key is None:
        return
    try:
        await connection.execute(
            insert(keys).values(
                owner=request.owner,
                key=request.key,
                digest=digest(request),
                job=job,
                at=now(),
            )
        )
    except IntegrityError:
        raise Twice from None


class Twice(Exception):
    """The same key came twice at the same moment: ask again, and find the first one's job."""
