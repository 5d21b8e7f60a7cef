"""Workers: who is there, what they have in hand, and what nobody can do."""

import json
from dataclasses import dataclass

from sqlalchemy import select

from windlass.store.access import Access
from windlass.store.tables import CLAIMABLE, jobs, workers

MOST = 10_000  # waiting jobs that are looked at for skills that nobody has


@dataclass(frozen=True)
class Aboard:
    """A worker process as it enlisted, and the jobs that it holds."""

    id: str
    host: str
    pid: int
    slots: int
    tubes: tuple[str, ...]
    skills: frozenset[str]
    since: float
    beat: int
    jobs: tuple[int, ...]


class Crews:
    """The workers of a datastore."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def all(self) -> list[Aboard]:
        """Every worker that is enlisted, the oldest first."""
        held = select(jobs.c.id, jobs.c.worker).where(jobs.c.worker.is_not(None))
        async with self.access.read() as connection:
            hands: dict[str, list[int]] = {}
            for row in await connection.execute(held):  # in no order: that would be by all jobs
                hands.setdefault(row.worker, []).append(row.id)
            rows = await connection.execute(select(workers).order_by(workers.c.since))
            return [
                Aboard(
                    id=row.id,
                    host=row.host,
                    pid=row.pid,
                    slots=row.slots,
                    tubes=tuple(json.loads(row.tubes)),
                    skills=frozenset(json.loads(row.skills)),
                    since=row.since,
                    beat=row.beat,
                    jobs=tuple(sorted(hands.get(row.id, ()))),
                )
                for row in rows
            ]

    async def unable(self) -> list[str]:
        """What ready jobs wait for and no living worker has: skills, machines, tubes."""
        waiting = select(jobs.c.tube, jobs.c.skill, jobs.c.machine).where(CLAIMABLE)
        async with self.access.read() as connection:
            wanted = {tuple(row) for row in await connection.execute(waiting.limit(MOST))}
        crew = await self.all()
        return sorted({lack(crew, *one) for one in wanted} - {""})


def lack(crew: list[Aboard], tube: str, skill: str, machine: str | None) -> str:
    """What no one of a crew has for a job, in a word; nothing if somebody can do it."""
    able = [one for one in crew if skill in one.skills]
    if not able:
        return skill
    there = [one for one in able if machine is None or machine in one.skills]
    if not there:
        return str(machine)
    return "" if any(tube in one.tubes for one in there) else f"tube {tube}"
