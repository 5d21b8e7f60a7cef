"""The census: how many jobs are where, and who works; for whoever watches over the whole."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, TextClause, func, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from windlass.engine.job import Phase
from windlass.store.access import Access
from windlass.store.tables import ASIDE, CLAIMABLE, counters, jobs, workers


@dataclass(frozen=True)
class Tally:
    """What was counted at one moment."""

    jobs: Mapping[
        tuple[str, Phase], int
    ]  # by tube and phase: those that have not ended, and buried
    ages: Mapping[str, float]  # by tube: seconds since the oldest ready job was asked for
    tubes: frozenset[str]  # that workers serve
    workers: int
    slots: int
    counters: Mapping[tuple[str, str], int]  # by name and kind of operation


class Census:
    """Counts all at once, by what is there and not by what was."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def take(self) -> Tally:
        """Count; jobs that ended long ago cost nothing."""
        async with self.access.read() as connection:
            found = (await connection.execute(living())).all()
            crew = (await connection.execute(select(workers.c.slots, workers.c.tubes))).all()
            counted = (await connection.execute(select(counters))).all()
        numbers: dict[tuple[str, Phase], int] = {}
        for row in found:
            key = row.tube, Phase(row.phase)
            numbers[key] = numbers.get(key, 0) + row.number
        return Tally(
            jobs=numbers,
            ages={
                row.tube: max(time.time() - row.oldest, 0.0)
                for row in found
                if row.phase == Phase.READY
            },
            tubes=frozenset(tube for row in crew for tube in json.loads(row.tubes)),
            workers=len(crew),
            slots=sum(row.slots for row in crew),
            counters={(row.name, row.kind): row.times for row in counted},
        )


def living() -> Any:
    """Counts of all that has not ended, and of what is buried; a job stands in one of them."""
    waits_for_its_time = ~jobs.c.claimable & jobs.c.worker.is_(None) & jobs.c.due.is_not(None)
    return union_all(
        counted(CLAIMABLE),
        counted(jobs.c.worker.is_not(None)),
        counted(waits_for_its_time),
        counted(ASIDE),
    )


def counted(which: ColumnElement[bool] | TextClause) -> Select[Any]:
    """Such jobs by tube and phase, and when the oldest was asked for."""
    return (
        select(
            jobs.c.tube,
            jobs.c.phase,
            func.count().label("number"),
            func.min(jobs.c.created).label("oldest"),
        )
        .where(which)
        .group_by(jobs.c.tube, jobs.c.phase)
    )
