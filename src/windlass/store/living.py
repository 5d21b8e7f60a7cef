"""Who lives: jobs that have not ended, and buried ones. Found among all that there ever were.

Each stands in just one index that holds few: of those that a worker may take, or has, that wait
for their time, or for others.
"""

from typing import Any

from sqlalchemy import CompoundSelect, Select, union_all

from windlass.engine.job import Phase
from windlass.store.tables import ASIDE, CLAIMABLE, jobs

PHASES = frozenset(phase for phase in Phase if not phase.ended or phase is Phase.BURIED)
INDEXED = (
    CLAIMABLE,
    jobs.c.worker.is_not(None),
    ~jobs.c.claimable & jobs.c.worker.is_(None) & jobs.c.due.is_not(None),
    ASIDE,
)


def of_the_living(query: Select[Any]) -> CompoundSelect[Any]:
    """What a query about jobs finds among the living."""
    return union_all(*(query.where(which).correlate(None) for which in INDEXED))
