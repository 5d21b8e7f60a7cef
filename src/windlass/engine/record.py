"""A job as its events tell it: the plan, each step's state, the direction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from windlass.engine.job import Trouble
from windlass.engine.journal import Event, EventKind, PastStep
from windlass.engine.policy import Direction


class StepState(StrEnum):
    """Where a step is."""

    PLANNED = "planned"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"
    SKIPPED = "skipped"


class StepRow(msgspec.Struct, gc=False):
    """A step of a plan, and what has become of it."""

    number: int
    stage: int
    kind: str
    version: int
    data: dict[str, Any]
    title: str
    one_way: bool
    state: StepState = StepState.PLANNED
    failures: int = 0  # in the present direction, since the last kick
    tries: int = 0
    begun: float | None = None
    ended: float | None = None
    trouble: Trouble | None = None
    due: float | None = None
    touched: bool = False  # has begun at least once: must be undone
    took_effect: bool = False
    result: str | None = None  # what it has left with the job

    @property
    def in_effect(self) -> bool:
        """Whether it counts as carried out."""
        return self.took_effect and self.state is not StepState.UNDONE

    def past(self) -> PastStep:
        """What is kept of it."""
        return PastStep(
            self.title,
            self.kind,
            self.stage,
            self.state,
            self.tries,
            self.one_way,
            self.begun,
            self.ended,
            self.result,
        )


@dataclass
class Record:
    """The fold of a job's events."""

    steps: list[StepRow] = field(default_factory=list)
    planned: bool = False
    direction: Direction = Direction.DO
    reason: Trouble | None = None  # of the turn
    cancelled: bool = False  # the turn was a wish
    no_return: bool = False
    number: int = 0  # of the newest event

    @classmethod
    def of(cls, events: Iterable[Event]) -> "Record":
        """A record from all the events of a job, in order."""
        record = cls()
        for event in events:
            record.apply(event)
        return record

    @property
    def percent(self) -> float | None:
        """Steps in effect of all, in hundredths; null until elaborated, as the PEP has it."""
        if not self.planned:
            return None
        done, steps = self.counts
        return round(100.0 * done / steps, 1) if steps else 100.0

    @property
    def counts(self) -> tuple[int, int]:
        """Steps in effect, and all."""
        return sum(row.in_effect for row in self.steps), len(self.steps)

    def stages(self) -> list[list[StepRow]]:
        """The steps, stage by stage."""
        stages: list[list[StepRow]] = []
        for row in self.steps:
            if row.stage == len(stages):
                stages.append([])
            stages[row.stage].append(row)
        return stages

    def history(self) -> list[PastStep]:
        """What is kept of the steps when they are pruned."""
        return [row.past() for row in self.steps]

    def apply(self, event: Event) -> None:
        """One more event."""
        self.number = event.number
        row = self.steps[event.step] if event.step is not None else None
        tell = TELL.get(event.kind)
        if tell is not None:
            tell(self, row, event)


def planned(record: Record, _: StepRow | None, event: Event) -> None:
    """The plan: every step with its stage."""
    record.planned = True
    record.steps = [
        StepRow(number=number, **step) for number, step in enumerate(event.detail["steps"])
    ]


def begun(record: Record, row: StepRow | None, event: Event) -> None:
    """A try begins; that of a one-way step ends all going back."""
    assert row is not None
    row.state, row.touched, row.ended, row.due = StepState.RUNNING, True, None, None
    row.begun = event.at if row.begun is None else row.begun
    row.tries = row.failures + 1
    record.no_return = record.no_return or row.one_way


def done(_: Record, row: StepRow | None, event: Event) -> None:
    """A step is in effect."""
    assert row is not None
    row.state, row.took_effect, row.ended = StepState.DONE, True, event.at
    row.trouble = None
    row.result = event.detail.get("result")


def failed(_: Record, row: StepRow | None, event: Event) -> None:
    """A try failed; with a due time it is to be tried again."""
    assert row is not None
    row.failures += 1
    row.trouble = trouble(event.detail)
    row.due = event.detail.get("due")
    row.state = StepState.FAILED if row.due is None else StepState.RETRYING
    row.ended = event.at if row.due is None else None


def undoing(_: Record, row: StepRow | None, event: Event) -> None:
    """A step begins to be taken back."""
    assert row is not None
    if row.state is not StepState.UNDOING and row.due is None:
        row.begun = event.at
    row.state, row.ended, row.due = StepState.UNDOING, None, None


def undone(_: Record, row: StepRow | None, event: Event) -> None:
    """A step is taken back."""
    assert row is not None
    row.state, row.ended = StepState.UNDONE, event.at


def skipped(_: Record, row: StepRow | None, event: Event) -> None:
    """An operator counts a step as done, or, on the way back, as undone."""
    assert row is not None
    row.ended, row.due = event.at, None
    row.state = StepState.UNDONE if event.detail.get("undo") else StepState.SKIPPED
    row.took_effect = True


def turned(record: Record, _: StepRow | None, event: Event) -> None:
    """From here on the job is taken back."""
    record.direction = Direction.UNDO
    record.reason = trouble(event.detail)
    record.cancelled = bool(event.detail.get("cancelled"))
    forgive(record)


def kicked(record: Record, _: StepRow | None, __: Event) -> None:
    """Sent round again: every step has all its tries once more."""
    forgive(record)


def forgive(record: Record) -> None:
    """Failures so far no longer count."""
    for row in record.steps:
        row.failures, row.due = 0, None


def trouble(detail: Mapping[str, Any]) -> Trouble | None:
    """The trouble in an event's detail."""
    return Trouble(**detail["trouble"]) if detail.get("trouble") else None


TELL = {
    EventKind.PLANNED: planned,
    EventKind.BEGUN: begun,
    EventKind.DONE: done,
    EventKind.FAILED: failed,
    EventKind.UNDOING: undoing,
    EventKind.UNDONE: undone,
    EventKind.SKIPPED: skipped,
    EventKind.TURNED: turned,
    EventKind.KICKED: kicked,
}
