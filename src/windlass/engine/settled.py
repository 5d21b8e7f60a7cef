"""The log of what was settled: jobs that end together share a line, as they share a commit."""

import asyncio

import structlog

from windlass.engine.job import Phase
from windlass.engine.lease import JobId

log = structlog.get_logger()


class Settled:
    """Collects jobs for a turn of the loop: a line for each of them would cost more than its end.

    `event=job.settled kind=create-application phase=complete job=17,18,21`.
    """

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, Phase], list[JobId]] = {}

    def add(self, job: JobId, kind: str, phase: Phase) -> None:
        """One more; it is logged before the next turn of the loop is over."""
        if not self.jobs:
            asyncio.get_running_loop().call_soon(self.tell)
        self.jobs.setdefault((kind, phase), []).append(job)

    def tell(self) -> None:
        """A line for those of one kind that came to the same."""
        settled, self.jobs = self.jobs, {}
        for (kind, phase), jobs in settled.items():
            numbers = ",".join(map(str, jobs))
            log.info("job.settled", kind=kind, phase=phase, job=numbers)
