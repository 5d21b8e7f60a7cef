"""A lease: the right to work on a job while its worker lives."""

from typing import NewType

import msgspec

JobId = NewType("JobId", int)
WorkerId = NewType("WorkerId", str)


class Lease(msgspec.Struct, frozen=True, gc=False):
    """Who works on which job, for the how many-th time.

    The number rises with every claim of the job. It marks events, and whatever acts outside the
    datastore refuses a number lower than the highest it has seen for the same job, and a job
    lower than the highest it has seen.
    """

    worker: WorkerId
    job: JobId
    number: int

    @property
    def order(self) -> tuple[int, int]:
        """By this the later of two leases on one thing is known: jobs there go one at a time."""
        return (self.job, self.number)
