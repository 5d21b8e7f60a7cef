"""What the engine asks of the datastore: jobs, their events, and who works on what."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from windlass.engine.job import Asker, Phase, Request, Trouble
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.engine.operation import Hold
from windlass.engine.queue import Nudge


class EventKind(StrEnum):
    """What can be told of a job; a step's state is its last event."""

    PLANNED = "planned"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    TURNED = "turned"
    KICKED = "kicked"
    LOG = "log"
    ENDED = "ended"


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One line of the journal; numbered from 1 within its job, `at` in seconds since 1970."""

    number: int
    kind: EventKind
    step: int | None
    at: float
    detail: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Crew:
    """A worker process as the datastore knows it; `id` never returns."""

    id: WorkerId
    host: str
    pid: int
    slots: int
    tubes: tuple[str, ...]
    skills: frozenset[str]  # `kind:version` of the operations it knows, and `node:...`


class Claimed(msgspec.Struct, frozen=True, gc=False):
    """A job that is ours now, with everything that has been written of it."""

    lease: Lease
    kind: str
    version: int
    data: dict[str, Any]
    crashes: int  # claims in a row without an event of their own, this one included
    events: Sequence[Event] = ()
    cancelled: bool = False  # a cancel was accepted before
    awaited: bool = False  # its end must look around: somebody waits, or it has holds


class PastStep(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is kept of a step, in the order of these fields, when its events are forgotten."""

    title: str
    kind: str
    stage: int
    state: str
    tries: int
    one_way: bool
    begun: float | None
    ended: float | None
    result: str | None = None


class End(msgspec.Struct, frozen=True, gc=False):
    """How a run of a job ended: for good, or until it goes on in `due` seconds."""

    phase: Phase
    percent: float | None
    due: float | None = None
    trouble: Trouble | None = None
    history: Sequence[PastStep] = ()
    crashed: bool = False  # it came to nothing, and counts as a crash


@dataclass(frozen=True)
class Submitted:
    """A job that has been accepted; `fresh` is false where it was there before."""

    job: JobId
    fresh: bool
    nudges: Sequence[Nudge] = ()


Reserve = Callable[[Any, JobId], Awaitable[Collection[Hold]]]


class Journal(Protocol):
    """The datastore of jobs. All of it is true, or nothing: each call is one transaction.

    A worker's calls are fenced: they raise LeaseLost once the worker has been declared dead.
    Every call raises Transient while the datastore is away.
    """

    async def enlist(self, crew: Crew) -> None:
        """A worker begins."""

    async def retire(self, worker: WorkerId) -> list[Nudge]:
        """A worker is gone, or declared dead: its row is deleted and its jobs may be claimed."""

    async def beat(self, worker: WorkerId) -> dict[WorkerId, int]:
        """One more beat of this worker; the counters of all. LeaseLost if it has no row."""

    async def submit(self, request: Request, reserve: Reserve | None) -> Submitted:
        """Accept a job, or refuse it; `reserve`, if any, runs in the same transaction."""

    async def claim(
        self, crew: Crew, tubes: Collection[str], room: int, job: JobId | None = None
    ) -> list[Claimed]:
        """Up to `room` ready jobs of these tubes, or just this one if it is ready.

        Only what the worker has the skills for. A crash of the datastore may take a claim back as
        long as nothing was written under it; then what is written first raises LeaseLost.
        """

    async def disown(self, worker: WorkerId, but: Collection[Lease]) -> list[Nudge]:
        """Give back what is this worker's by its row, but for these: a claim got lost."""

    def write(self, lease: Lease, events: Sequence[Event]) -> Awaitable[object]:
        """Make events durable, if there are any; calls of many jobs share a commit."""

    async def pass_no_return(self, lease: Lease) -> bool:
        """Promise that there is no way back; false if a cancel was accepted before."""

    async def settle(self, lease: Lease, events: Sequence[Event], end: End) -> list[Nudge] | None:
        """Make events and the end of a run durable, and let go of the job.

        Returns the nudges for those that may run now; None if it was to be complete but a cancel
        has been accepted meanwhile: then nothing was written and it must be taken back.
        """

    async def cancel(self, job: JobId, asker: Asker, reason: str | None) -> list[Nudge]:
        """Record the wish to take a job back; a queued one ends at once.

        Raises Conflict when it has ended or is past the point of no return.
        """

    async def kick(self, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
        """Send a buried job round again, in its stored direction; Conflict if it is not buried."""

    async def skip(self, job: JobId, asker: Asker, reason: str, step: int) -> list[Nudge]:
        """Count a step of a buried job as done (or taken back) by hand, and go on."""

    async def undo(self, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
        """Take a buried job back; Conflict past the point of no return."""

    async def discard(self, job: JobId, asker: Asker, reason: str) -> list[Nudge]:
        """Close a buried job as it is; what it has made keeps its holds."""

    async def cancelled(self, jobs: Collection[JobId]) -> set[JobId]:
        """Which of these jobs are to be taken back."""

    async def failures(self, job: JobId) -> int:
        """How often the same operation on the same scope has failed in a day, up to this job.

        The time that makes it failing is counted.
        """

    async def wake(self) -> list[Nudge]:
        """Let delayed and retrying jobs that are due take their place."""

    async def prune(self, complete_after: float, rows_after: float) -> int:
        """Forget the steps of jobs that completed, and whole old jobs (seconds); how many rows."""

    async def close(self) -> None:
        """Let go of what this process holds of the datastore."""
