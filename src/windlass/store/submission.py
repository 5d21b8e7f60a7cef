"""Accepting a job: its row, its place in line and its holds, in one transaction."""

import hashlib
from collections.abc import Collection

from sqlalchemy import Float, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from windlass.engine.job import Phase, Request
from windlass.engine.journal import Reserve, Submitted
from windlass.engine.known import skill
from windlass.engine.lease import JobId
from windlass.engine.operation import Hold
from windlass.engine.queue import Nudge
from windlass.engine.scope import Scope
from windlass.errors import Conflict, OverLimit, Refused, Taken
from windlass.store import delays, line
from windlass.store.connection import Connection
from windlass.store.database import greatest, now
from windlass.store.intents import supersede
from windlass.store.line import Placed
from windlass.store.prepared import Prepared
from windlass.store.rows import dumps, scope_text
from windlass.store.tables import CLAIMABLE, holds, jobs, keys


async def submit(connection: Connection, request: Request, reserve: Reserve) -> Submitted:
    """Accept a job, or the one that was accepted for the same request before."""
    operation = request.operation
    scope = operation.scope
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
    found = await reserve(connection, job)
    await hold(connection, job, found)
    if phase is Phase.DELAYED:
        await delays.stand_by(connection, job, scope)
    else:
        await line.join(connection, job, scope)
    nudges: list[Nudge] = []
    if operation.final and phase is not Phase.DELAYED:
        nudges = await supersede(connection, job, scope, before)
    await keep_key(connection, request, job)
    if phase is Phase.READY:
        nudges = [*nudges, Nudge(operation.tube, job, priority(request))]
    return Submitted(job, fresh=True, nudges=nudges)


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
    operation, subject = request.operation, request.subject
    values = {
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
        "place": place,
        "final": operation.final,
        "delay": request.delay or None,
        "retry_of": request.retry_of,
    }
    rows = await connection.fetch(INSERT_JOB, values)
    return JobId(rows[0][0])


def inserting() -> Prepared:
    """A job's row, with its turn.

    `max(lowest ready turn, owner's last turn + 1)`, so that one owner's thousand jobs delay
    another's single one by one turn; where nothing is ready, the newest job's turn stands for the
    lowest, or a newcomer's burst would go before everything that comes later.
    """
    given = {column.name: bindparam(column.name, type_=column.type) for column in jobs.columns}
    ready = (
        select(jobs.c.turn)
        .where(CLAIMABLE, jobs.c.tube == given["tube"], jobs.c.priority == given["priority"])
        .order_by(jobs.c.turn)
        .limit(1)
        .scalar_subquery()
    )
    newest = select(jobs.c.turn).order_by(jobs.c.id.desc()).limit(1).scalar_subquery()
    last = (
        select(jobs.c.turn)
        .where(jobs.c.owner == given["owner"])
        .order_by(jobs.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    turn = greatest(func.coalesce(ready, newest, 0), func.coalesce(last, -1) + 1)
    due = now() + bindparam("delay", type_=Float)
    chosen = {"turn": turn, "due": due, "created": now(), "awaited": False}
    values = {name: given[name] for name in GIVEN} | chosen
    return Prepared(insert(jobs).values(values).returning(jobs.c.id))


GIVEN = [
    "tube",
    "kind",
    "version",
    "data",
    "skill",
    "machine",
    "title",
    "owner",
    "asker",
    "subject",
    "domain",
    "application",
    "scope",
    "phase",
    "claimable",
    "priority",
    "place",
    "final",
    "retry_of",
]
INSERT_JOB = inserting()


async def try_again(connection: Connection, failed: JobId, job: JobId) -> None:
    """Link a job with the one that it tries again; Conflict if another one does already."""
    link = update(jobs).where(jobs.c.id == failed, jobs.c.retried_by.is_(None))
    done = await connection.execute(link.values(retried_by=job).returning(jobs.c.id))
    if done.first() is None:
        first = await connection.execute(select(jobs.c.retried_by).where(jobs.c.id == failed))
        raise Conflict(f"job {failed} was tried again already", job=first.scalar_one_or_none())


async def hold(connection: Connection, job: JobId, wanted: Collection[Hold]) -> None:
    """Write down what a job holds; Taken or OverLimit if it cannot have it."""
    if wanted:
        mine = update(jobs).where(jobs.c.id == job)
        await connection.execute(mine.values(awaited=True))  # its end must look after them
    for one in sorted(wanted, key=lambda hold: hold.key):
        if one.limit is not None:
            await check_limit(connection, one)
        row = upsert(holds).values(
            key=one.key,
            resource=one.resource,
            kind=one.kind,
            owner=one.owner,
            amount=one.amount,
            job=job,
        )
        done = await connection.execute(
            row.on_conflict_do_nothing(index_elements=[holds.c.key]).returning(holds.c.key)
        )
        if done.first() is None:
            raise Taken(f"{one.key.partition(':')[2]} is taken already")


async def check_limit(connection: Connection, wanted: Hold) -> None:
    """OverLimit if the owner would have more than he may; under the lock of his quota."""
    await line.lock(connection, [f"quota:{wanted.owner}"])
    used = await connection.execute(
        select(func.coalesce(func.sum(holds.c.amount), 0)).where(
            holds.c.owner == wanted.owner, holds.c.kind == wanted.kind
        )
    )
    have = used.scalar_one()
    if have + wanted.amount > (wanted.limit or 0):
        raise OverLimit(
            f"that would be {have + wanted.amount} {wanted.kind}, and {wanted.limit} are allowed"
        )


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
