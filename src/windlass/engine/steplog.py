"""What a step says while it runs: lines in the journal, bounded."""

from collections.abc import Callable
from contextvars import ContextVar

from windlass.engine.job import clean

LINE = 1000  # characters of one line
LINES = 500  # of one try; what comes after is left out, and that is said

_voice: ContextVar[Callable[[str], None] | None] = ContextVar("voice", default=None)


def say(text: str) -> None:
    """Write lines to the log of the step that runs here; anywhere else it is not heard."""
    voice = _voice.get()
    if voice is not None:
        for line in clean(text).splitlines():
            voice(line[:LINE])


class Voice:
    """Gives a try its voice, for as long as it runs."""

    __slots__ = ("left", "token", "write")

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write, self.left = write, LINES

    def __call__(self, line: str) -> None:
        """One line, if there is room for it."""
        self.left -= 1
        if self.left > 0:
            self.write(line)
        elif self.left == 0:
            self.write(f"... more than {LINES} lines; the rest is left out")

    def __enter__(self) -> None:
        """From here on steps are heard."""
        self.token = _voice.set(self)

    def __exit__(self, *_: object) -> None:
        """No more."""
        _voice.reset(self.token)
