"""The census: how many jobs are where, and who works; for whoever watches over the whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from windlass.engine.job import Phase
from windlass.store.access import Access
from windlass.store.database import now
from windlass.store.living import of_the_living
from windlass.store.tables import counters, jobs, workers

COUNT = select(
    jobs.c.tube,
    jobs.c.phase,
    func.count().label("number"),
    (now() - func.min(jobs.c.created)).label("age"),
).group_by(jobs.c.tube, jobs.c.phase)


@dataclass(frozen=True)
class Tally:
    """What was counted at one moment."""

    jobs: Mapping[tuple[str, Phase], int]  # by tube and phase: those that live
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
            found = (await connection.execute(of_the_living(COUNT))).all()
            crew = (await connection.execute(select(workers.c.slots, workers.c.tubes))).all()
            counted = (await connection.execute(select(counters))).all()
        numbers: dict[tuple[str, Phase], int] = {}
        for row in found:
            key = row.tube, Phase(row.phase)
            numbers[key] = numbers.get(key, 0) + row.number
        return Tally(
            jobs=numbers,
            ages={row.tube: row.age for row in found if row.phase == Phase.READY},
            tubes=frozenset(tube for row in crew for tube in json.loads(row.tubes)),
            workers=len(crew),
            slots=sum(row.slots for row in crew),
            counters={(row.name, row.kind): row.times for row in counted},
        )
