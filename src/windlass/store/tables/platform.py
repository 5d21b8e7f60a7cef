"""The platform's tables: users, and what jobs have made for them.

What a job makes for a resource hangs on the job's hold of it: when the hold goes, by a failed
creation or by a deletion, the rows go too.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from windlass.store.tables.base import Number, metadata


def on_hold() -> Column[str]:
    """The hold that a row hangs on; deferred: the row is written before the engine writes that."""
    key = ForeignKey("holds.key", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    return Column("hold", Text, key, nullable=False, unique=True)


def of_application(*, primary_key: bool = False) -> Column[str]:
    """The application that a row goes with."""
    key = ForeignKey("applications.id", ondelete="CASCADE")
    return Column("application", Text, key, nullable=False, primary_key=primary_key)


users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("most_domains", Integer, nullable=False),
    Column("most_gears", Integer, nullable=False),
    Column("most_storage", Integer, nullable=False, server_default="100"),  # GiB
    Column("created", Float, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user", Text, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("note", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Index("ix_tokens_user", "user"),
)

domains = Table(
    "domains",
    metadata,
    Column("id", Text, primary_key=True),
    on_hold(),
    Column("name", Text, nullable=False, unique=True),
    Column("owner", Text, ForeignKey("users.id"), nullable=False),
    Column("created", Float, nullable=False),
    Index("ix_domains_owner", "owner"),
)

applications = Table(
    "applications",
    metadata,
    Column("id", Text, primary_key=True),
    on_hold(),
    Column("domain", Text, ForeignKey("domains.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("cartridge", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("leaving", Number),  # the job that takes it away
    Column("release", Text),  # the one that is active
    Column("size", Text, nullable=False, server_default="small"),
    Column("scales_from", Integer, nullable=False, server_default="1"),
    Column("scales_to", Integer, nullable=False, server_default="-1"),  # -1: no limit
    Column("health_path", Text),
    Column("health_grace", Float),  # seconds
    Column("created", Float, nullable=False),
    Index("ix_applications_domain", "domain", "name"),
)

gears = Table(
    "gears",
    metadata,
    Column("id", Text, primary_key=True),
    of_application(),
    Column("node", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("size", Text, nullable=False, server_default="small"),
    Column("address", Text),
    Column("created", Float, nullable=False),
    CheckConstraint("slot >= 0", name="slot"),
    Index("uq_gears_slot", "node", "slot", unique=True),
    Index("ix_gears_application", "application"),
)

instances = Table(
    "instances",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gear", Text, ForeignKey("gears.id", ondelete="CASCADE"), nullable=False),
    Column("release", Text, nullable=False),
    Column("wanted", Boolean, nullable=False),  # false: it is to stop
    Column("address", Text),
    Column("routed", Boolean, nullable=False),
    Index("ix_instances_gear", "gear"),
)

releases = Table(
    "releases",
    metadata,
    Column("id", Text, primary_key=True),
    of_application(),
    Column("number", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Index("uq_releases_number", "application", "number", unique=True),
)

routes = Table(
    "routes",
    metadata,
    Column("host", Text, primary_key=True),
    Column("alias", Boolean, nullable=False, server_default=text("false")),  # a user's own name
    of_application(),
    Index("ix_routes_application", "application"),
)

secrets = Table(
    "secrets",
    metadata,
    of_application(primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

variables = Table(
    "variables",
    metadata,
    of_application(primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Set aside for jobs, which name only the id.

changes = Table(
    "changes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    of_application(),
    Column("value", Text),  # null: the variable goes
    Column("before", Text),
    Column("applied", Boolean, nullable=False, server_default=text("false")),
    Column("at", Float, nullable=False),
    Index("ix_changes_application", "application"),
)
