"""How a command can end, in a number for scripts and a sentence for people."""

from enum import IntEnum

from windlass.client import Away, ClientError, Problem


class Fate(IntEnum):
    """The exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    REFUSED = 5
    AWAY = 6
    WAITED_TOO_LONG = 124
    DETACHED = 130


class Stop(Exception):
    """End the command: say this sentence, then the command to type next."""

    def __init__(self, fate: Fate, sentence: str = "", *, next: str | None = None) -> None:
        super().__init__(sentence)
        self.fate = fate
        self.sentence = sentence
        self.next = next


def fate_of(error: ClientError) -> Fate:
    """What the server's answer means for a script."""
    if isinstance(error, Away):
        return Fate.AWAY
    status = error.status if isinstance(error, Problem) else 0
    known = {400: Fate.USAGE, 401: Fate.NOT_ALLOWED, 403: Fate.NOT_ALLOWED, 404: Fate.NOT_FOUND}
    return known.get(status, Fate.AWAY if status >= 500 else Fate.REFUSED)


def stop_of(error: ClientError) -> Stop:
    """The same, with what to do about it."""
    return Stop(fate_of(error), str(error), next=_next(error))


def _next(error: ClientError) -> str | None:
    if isinstance(error, Away):
        return "windlass status"
    if not isinstance(error, Problem):
        return None
    if error.status == 401:
        return "windlass login"
    if error.job:
        return f"windlass job watch {error.job.rpartition('/')[2]}"
    return None
