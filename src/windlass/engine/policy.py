"""What follows a failure: again, undo or bury (pure)."""

import random
from dataclasses import dataclass
from enum import StrEnum

from windlass.errors import Refused

CRASHES = 5  # claims in a row that came to nothing; then a job is set aside


@dataclass(frozen=True)
class Retry:
    """How often and how patiently a step is tried; times in seconds."""

    attempts: int = 5
    first: float = 0.5
    factor: float = 2.0
    longest: float = 300.0
    jitter: float = 0.2  # a share of the delay, either way

    def delay(self, tries: int) -> float:
        """The wait after so many tries that failed."""
        plain = min(self.first * self.factor ** (tries - 1), self.longest)
        return plain * (1 + self.jitter * random.uniform(-1, 1))

    @classmethod
    def cubic(cls, attempts: int = 10) -> "Retry":
        """About as patient as backburner's n^3 + 5: half an hour over ten tries."""
        return cls(attempts=attempts, first=6, factor=1.9, longest=1000)

    @classmethod
    def quartic(cls, attempts: int = 25) -> "Retry":
        """About as patient as delayed_job's n^4 + 5: three weeks over twenty-five tries."""
        return cls(attempts=attempts, first=5, factor=2.0, longest=172_800)


USUAL = Retry()
PATIENT = Retry(attempts=12, first=0.5, factor=2.0, longest=60.0)  # for undo: five minutes or so


class Direction(StrEnum):
    """Which way a job goes."""

    DO = "do"
    UNDO = "undo"


class Verdict(StrEnum):
    """What to do next."""

    AGAIN = "again"
    UNDO = "undo"
    BURY = "bury"


def verdict(
    error: BaseException, tries: int, retry: Retry, direction: Direction, no_return: bool
) -> Verdict:
    """What follows the failure of a step's so many-th try.

    Past the point of no return, and while undoing, there is no other way left: what is refused
    or used up there is for an operator.
    """
    if not isinstance(error, Refused) and tries < retry.attempts:
        return Verdict.AGAIN
    return Verdict.BURY if direction is Direction.UNDO or no_return else Verdict.UNDO
