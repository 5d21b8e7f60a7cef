"""What can go wrong, named for what to do next; the message is for the person."""


class WindlassError(Exception):
    """Anything that windlass itself says no to."""


class Refused(WindlassError):
    """Asking again will not help. In the API: 4xx. In a step: undo.

    `code` is OpenShift's exit code where there is one, `field` the part of the request that is at
    fault, `job` the number of a job that is in the way.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        field: str | None = None,
        job: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.job = job


class NotFound(Refused):
    """There is no such thing, or it is not yours to see."""


class Taken(Refused):
    """Somebody has this name already."""


class OverLimit(Refused):
    """A limit is reached; the message names it and the numbers."""


class TooMany(Refused):
    """Too many requests or jobs at once; later it may fit."""


class TooLarge(Refused):
    """What was sent is larger than is accepted."""


class Denied(Refused):
    """You may not do this."""


class Conflict(Refused):
    """Not in this state."""


class Transient(WindlassError):
    """Asking again may help. In the API: 503. In a step: again, later."""


class LeaseLost(WindlassError):
    """Someone else works on this job now; stop and write nothing."""
