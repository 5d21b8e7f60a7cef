"""What a step says while it runs, and what it leaves with its job: bounded."""

from collections.abc import Callable
from contextvars import ContextVar

from windlass.engine.job import clean

LINE = 1000  # characters of one line
RESULT = 64 << 10  # bytes at most of what one step leaves, and of what a job has left
LINES = 500  # of one try; what comes after is left out, and that is said


class Voice:
    """The voice of one try of a step; what a try has left behind keeps it, and is not heard."""

    __slots__ = ("left", "result", "step", "write")

    def __init__(self, write: Callable[[int, str], None], step: int) -> None:
        self.write, self.step = write, step
        self.left = LINES
        self.result: str | None = None

    def hush(self) -> None:
        """The try has ended."""
        self.left = 0

    def line(self, text: str) -> None:
        """One line, if there is room for it."""
        self.left -= 1
        if self.left > 0:
            self.write(self.step, text)
        elif self.left == 0:
            self.write(self.step, f"... more than {LINES} lines; the rest is left out")


VOICE: ContextVar[Voice | None] = ContextVar("voice", default=None)


def say(text: str) -> None:
    """Write lines to the log of the step that runs here; anywhere else it is not heard."""
    voice = VOICE.get()
    if voice is not None:
        for line in clean(text).splitlines():
            voice.line(line[:LINE])


def leave(text: str) -> None:
    """Leave a result with the job, once the step that runs here is done; its end, if it is long."""
    voice = VOICE.get()
    if voice is not None:
        voice.result = end_of(clean(text))


def end_of(text: str) -> str:
    """The end of a text that is longer than a result may be; the cut is told."""
    told = text.encode()
    if len(told) <= RESULT:
        return text
    cut = b"[...]\n"
    return (cut + told[len(cut) - RESULT :]).decode(errors="ignore")
