"""The tables, as they are now; how they came about stands in `migrations/`.

Times are seconds since 1970 (UTC), everything structured is JSON in ASCII, so that both datastores
hold and compare the same.
"""

from windlass.store.tables.base import metadata
from windlass.store.tables.engine import (
    AMISS,
    ASIDE,
    CLAIMABLE,
    FAILED,
    counters,
    events,
    holds,
    intents,
    jobs,
    keys,
    roots,
    routers,
    scopes,
    workers,
)
from windlass.store.tables.platform import (
    applications,
    changes,
    domains,
    gears,
    instances,
    releases,
    routes,
    secrets,
    tokens,
    users,
    variables,
)

__all__ = [
    "AMISS",
    "ASIDE",
    "CLAIMABLE",
    "FAILED",
    "applications",
    "changes",
    "counters",
    "domains",
    "events",
    "gears",
    "holds",
    "instances",
    "intents",
    "jobs",
    "keys",
    "metadata",
    "releases",
    "roots",
    "routers",
    "routes",
    "scopes",
    "secrets",
    "tokens",
    "users",
    "variables",
    "workers",
]
