"""The contract of a queue: a bell with order. It carries job ids and is never the truth."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from windlass.engine.lease import JobId


@dataclass(frozen=True)
class Nudge:
    """The message that says "look at this job"; without a job: "look what is there"."""

    tube: str
    job: JobId | None = None
    priority: int = 100
    handle: object = None  # how the backend finds it again, to delete it
    spoken: bool = False  # who listens to the datastore has heard of it with the commit


class Queue(Protocol):
    """Brings nudges to workers. What it loses costs a second, what it doubles costs nothing.

    Every method raises Transient while the queue is away.
    """

    async def put(self, nudges: Collection[Nudge]) -> None:
        """Ring for these jobs; called after the commit that made them ready."""

    async def reserve(self, tubes: Mapping[str, int], patience: float) -> Nudge | None:
        """The next nudge of these tubes (with their weights); None after `patience` seconds."""

    async def delete(self, nudge: Nudge) -> None:
        """It has been looked at; called right after the claim."""

    async def check(self) -> None:
        """Whether it is there; raises Transient with the reason while it is away."""

    async def close(self) -> None:
        """Let go of connections and threads."""
