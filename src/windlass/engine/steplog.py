"""What a step says while it runs: lines in the journal, bounded."""

from collections.abc import Callable
from contextvars import ContextVar

from windlass.engine.job import clean

LINE = 1000  # characters of one line
LINES = 500  # of one try; what comes after is left out, and that is said


class Voice:
    """A task's voice: it is heard while one of the steps runs that the task carries out."""

    __slots__ = ("left", "step", "token", "write")

    def __init__(self, write: Callable[[int, str], None]) -> None:
        self.write = write
        self.step: int | None = None
        self.left = 0

    def begin(self, step: int) -> None:
        """From now on this step is heard."""
        self.step, self.left = step, LINES

    def hush(self) -> None:
        """The step has ended."""
        self.step = None

    def line(self, text: str) -> None:
        """One line, if there is room for it."""
        if self.step is None:
            return
        self.left -= 1
        if self.left > 0:
            self.write(self.step, text)
        elif self.left == 0:
            self.write(self.step, f"... more than {LINES} lines; the rest is left out")

    def __enter__(self) -> "Voice":
        self.token = _voice.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _voice.reset(self.token)


_voice: ContextVar[Voice | None] = ContextVar("voice", default=None)


def say(text: str) -> None:
    """Write lines to the log of the step that runs here; anywhere else it is not heard."""
    voice = _voice.get()
    if voice is not None:
        for line in clean(text).splitlines():
            voice.line(line[:LINE])
