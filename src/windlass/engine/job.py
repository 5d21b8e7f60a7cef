"""Jobs: operations on their way, with a phase that says where."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from windlass.engine.lease import JobId
from windlass.engine.operation import Operation


class Status(StrEnum):
    """What the specification lets a client see: four, and no fifth."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    FAILED = "failed"


class Phase(StrEnum):
    """Where a job is."""

    DELAYED = "delayed"
    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    RETRYING = "retrying"
    UNDOING = "undoing"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BURIED = "buried"
    DISCARDED = "discarded"

    @property
    def status(self) -> Status:
        """The status that is shown for it."""
        return STATUS[self]

    @property
    def ended(self) -> bool:
        """Whether the job has come to its end, for good or until it is kicked."""
        return self.status in (Status.COMPLETE, Status.FAILED)


STATUS = {
    Phase.DELAYED: Status.QUEUED,
    Phase.WAITING: Status.QUEUED,
    Phase.READY: Status.QUEUED,
    Phase.RUNNING: Status.IN_PROGRESS,
    Phase.RETRYING: Status.IN_PROGRESS,
    Phase.UNDOING: Status.IN_PROGRESS,
    Phase.COMPLETE: Status.COMPLETE,
    Phase.FAILED: Status.FAILED,
    Phase.CANCELLED: Status.FAILED,
    Phase.BURIED: Status.FAILED,
    Phase.DISCARDED: Status.FAILED,
}

QUEUED = (Phase.DELAYED, Phase.WAITING, Phase.READY)
IN_LINE = (Phase.WAITING, Phase.READY, Phase.RUNNING, Phase.RETRYING, Phase.UNDOING, Phase.BURIED)


@dataclass(frozen=True)
class Asker:
    """Who asked, from where, in which request."""

    login: str
    address: str | None = None
    request: str | None = None


@dataclass(frozen=True)
class Request:
    """An operation as it is handed in.

    `owner` is whose turn and quota it takes, `subject` the names it concerns (as in
    {"domain": "demo", "application": "blog"}), kept after what they name is gone; `key` makes
    asking twice one job; `delay` in seconds.
    """

    operation: Operation[Any]
    owner: str
    asker: Asker
    subject: dict[str, str]
    key: str | None = None
    delay: float = 0.0
    priority: int | None = None
    retry_of: JobId | None = None


@dataclass(frozen=True)
class Trouble:
    """Why a job or a step failed: a code, a sentence, and the step's title if it was one."""

    code: str
    text: str
    step: str | None = None

    @classmethod
    def of(cls, error: BaseException, step: str | None = None) -> "Trouble":
        """An error as it is kept; the text is bounded and clean."""
        text = clean(str(error)) or type(error).__name__
        return cls(type(error).__name__, text[:4000], step)

    def data(self) -> dict[str, str | None]:
        """As JSON types."""
        return {"code": self.code, "text": self.text, "step": self.step}


def clean(text: str) -> str:
    """Text that every datastore takes: without NUL and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
