"""The statements that make a job's row: on its own, or with its place in an empty line."""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    ColumnElement,
    Float,
    Text,
    bindparam,
    case,
    cast,
    column,
    exists,
    false,
    func,
    insert,
    select,
    true,
)

from windlass.store.database import greatest, now
from windlass.store.line import TAKE
from windlass.store.notify import CHANNEL, READY
from windlass.store.prepared import Prepared
from windlass.store.tables import CLAIMABLE, jobs, roots, scopes

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


def columns() -> dict[str, ColumnElement[Any]]:
    """A job's columns, most of them parameters; with its turn.

    `max(lowest ready turn, owner's last turn + 1)`, so that one owner's thousand jobs delay
    another's single one by one turn; where nothing is ready, the newest job's turn stands for the
    lowest, or a newcomer's burst would go before everything that comes later.
    """
    given = {name: bindparam(name, type_=jobs.columns[name].type) for name in GIVEN}
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
    chosen: dict[str, ColumnElement[Any]] = {
        "turn": turn,
        "due": due,
        "created": now(),
        "awaited": false(),
    }
    return {**given, **chosen}


def inserting() -> Prepared:
    """A job's row; its id comes back."""
    return Prepared(insert(jobs).values(columns()).returning(jobs.c.id))


def entering() -> Prepared:
    """On PostgreSQL: take a place at a root, and a job's row in its line if nobody stands there.

    The place comes back, and the id or null; if it `speaks`, workers hear of it with the commit.
    All of a statement sees what was there when it began, and the root's lock may have been waited
    for. But whoever joins a line takes a place first: if ours is the next after the one that was
    seen, nobody has joined since.
    """
    path = bindparam("path", type_=Text)
    seen = select(roots.c.place).where(roots.c.path == path).scalar_subquery()
    taken = TAKE.cte("taken")
    alone = (
        select(taken.c.place)
        .where(taken.c.place == func.coalesce(seen, 0) + 1)
        .where(~exists().where(scopes.c.root == path))
        .cte("alone")
    )
    row = columns() | {"place": alone.c.place}
    job = (
        insert(jobs)
        .from_select(list(row), select(*row.values()).select_from(alone))
        .returning(jobs.c.id)
        .cte("job")
    )
    array = cast(bindparam("scope", type_=Text), JSON)
    pairs = func.json_array_elements(array).table_valued(column("pair", JSON)).render_derived()
    exclusive = cast(pairs.c.pair.op("->>")(1), Boolean)
    standing = (
        select(job.c.id, pairs.c.pair.op("->>")(0), path, exclusive)
        .select_from(job)
        .join(pairs, true())
    )
    stood = insert(scopes).from_select(["job", "path", "root", "exclusive"], standing).cte("stood")
    place, id = select(taken.c.place).scalar_subquery(), select(job.c.id).scalar_subquery()
    bell = case((bindparam("speaks", type_=Boolean), func.pg_notify(CHANNEL, READY)))
    return Prepared(select(place, id, bell).add_cte(stood))


INSERT_JOB = inserting()
ENTER = entering()
