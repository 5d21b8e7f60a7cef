"""The engine's tables: jobs, what has happened to them, and who works on them."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, Table, Text, text

from windlass.store.tables.base import Number, metadata

# The condition of an index, in its own words: SQLite finds the index by nothing else (by no
# `claimable = 1`, as SQLAlchemy would write it).
CLAIMABLE = text("claimable")
ASIDE = text("phase IN ('waiting', 'buried')")
FAILED = text("phase = 'failed'")
AMISS = text("phase IN ('failed', 'cancelled', 'buried', 'discarded')")

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("tubes", Text, nullable=False),
    Column("skills", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("beat", BigInteger, nullable=False, server_default="0"),
)

routers = Table(  # those that live, and the version of the routes that each serves
    "routers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("beat", BigInteger, nullable=False, server_default="0"),
    Column("serves", BigInteger, nullable=False, server_default="0"),
)

roots = Table(  # one row a root of scopes: locked while its line changes, and numbering it
    "roots",
    metadata,
    Column("path", Text, primary_key=True),
    Column("place", BigInteger, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("tube", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("skill", Text, nullable=False),  # what a worker must know, and where it must be
    Column("machine", Text),
    Column("title", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("asker", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("domain", Text),  # ids of what it works on, for lists; kept after their rows are gone
    Column("application", Text),
    Column("phase", Text, nullable=False),
    Column("claimable", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("turn", BigInteger, nullable=False, server_default="0"),
    Column("place", BigInteger, nullable=False, server_default="0"),  # in line
    Column("final", Boolean, nullable=False),
    Column("awaited", Boolean, nullable=False),  # somebody may wait for it, or it has holds
    Column("due", Float),
    Column("lease", Integer, nullable=False, server_default="0"),
    Column("worker", Text),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("seen", Integer, nullable=False, server_default="0"),  # newest event at the last claim
    Column("percent", Float),
    Column("trouble", Text),
    Column("history", Text),
    Column("retry_of", Number),
    Column("retried_by", Number),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Column("pruned", Boolean, nullable=False, server_default=text("false")),
    Index(
        "ix_jobs_claim",
        "tube",
        "priority",
        "turn",
        "id",
        sqlite_where=CLAIMABLE,
        postgresql_where=CLAIMABLE,
    ),
    Index(
        "ix_jobs_due",
        "due",
        sqlite_where=text("due IS NOT NULL"),
        postgresql_where=text("due IS NOT NULL"),
    ),
    Index(
        "ix_jobs_worker",
        "worker",
        sqlite_where=text("worker IS NOT NULL"),
        postgresql_where=text("worker IS NOT NULL"),
    ),
    Index("ix_jobs_owner", "owner", "id"),
    Index(
        "ix_jobs_domain",
        "domain",
        "id",
        sqlite_where=text("domain IS NOT NULL"),
        postgresql_where=text("domain IS NOT NULL"),
    ),
    Index(
        "ix_jobs_application",
        "application",
        "id",
        sqlite_where=text("application IS NOT NULL"),
        postgresql_where=text("application IS NOT NULL"),
    ),
    Index(
        "ix_jobs_ended",
        "pruned",
        "ended",
        sqlite_where=text("ended IS NOT NULL"),
        postgresql_where=text("ended IS NOT NULL"),
    ),
    Index(  # who stands aside, for whoever counts them: a few of however many there are
        "ix_jobs_aside",
        "tube",
        "phase",
        sqlite_where=ASIDE,
        postgresql_where=ASIDE,
    ),
    Index(
        "ix_jobs_failed",
        "kind",
        "scope",
        "ended",
        sqlite_where=FAILED,
        postgresql_where=FAILED,
    ),
    Index("ix_jobs_amiss", "id", sqlite_where=AMISS, postgresql_where=AMISS),
    sqlite_autoincrement=True,  # the number of a job that was forgotten never returns
)

scopes = Table(  # of jobs in line, and of delayed ones at roots of their own; gone before the job
    "scopes",
    metadata,
    Column("job", Number, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("root", Text, nullable=False),
    Column("exclusive", Boolean, nullable=False),
    Index("ix_scopes_root", "root"),
)

holds = Table(
    "holds",
    metadata,
    Column("key", Text, primary_key=True),
    Column("resource", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("owner", Text),
    Column("amount", Integer, nullable=False),
    Column("job", Number),  # null once the job is complete: then the resource has it
    Index("ix_holds_owner", "owner", "kind"),
    Index("ix_holds_resource", "resource"),
    Index("ix_holds_job", "job"),
)

events = Table(  # a row for all that is written together of a job
    "events",
    metadata,
    Column("job", Number, primary_key=True),
    Column("number", Integer, primary_key=True),  # of its last event
    Column("lease", Integer, nullable=False),
    Column("kinds", Text, nullable=False),  # of its events, in order
    Column("outcome", Integer),  # number of the newest that tells what something came to
    Column("told", Text, nullable=False),  # the events, as [[number, kind, step, at, detail], ...]
)

intents = Table(  # wishes about a job, and the promise that excludes one of them
    "intents",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("job", Number, nullable=False),
    Column("kind", Text, nullable=False),
    Column("asker", Text, nullable=False),
    Column("reason", Text),
    Column("at", Float, nullable=False),
    Index("ix_intents_job", "job"),
    Index(
        "uq_intents_one_of",
        "job",
        unique=True,
        sqlite_where=text("kind IN ('cancel', 'no-return')"),
        postgresql_where=text("kind IN ('cancel', 'no-return')"),
    ),
)

keys = Table(  # idempotency keys, for a day
    "keys",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("job", Number, nullable=False),
    Column("at", Float, nullable=False),
)

counters = Table(  # what has happened how often: jobs may be forgotten, this is not
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
)
