"""What a step says while it runs: lines in the journal, bounded."""

from collections.abc import Callable
from contextvars import ContextVar

from windlass.engine.job import clean

LINE = 1000  # characters of one line
LINES = 500  # of one try; what comes after is left out, and that is said


class Voice:
    """The voice of one try of a step; what a try has left behind keeps it, and is not heard."""

    __slots__ = ("left", "step", "write")

    def __init__(self, write: Callable[[int, str], None], step: int) -> None:
        self.write, self.step = write, step
        self.left = LINES

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
