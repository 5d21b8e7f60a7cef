"""What each of the others reached before, on two cores: to notice when it is treated unfairly.

Jobs a second, medians. An engine that stays more than `SHORT` below makes the bench fail, unless
a reason stands here.
"""

SHORT = 0.30

EXPECTED = {
    "procrastinate.10": 434,
    "procrastinate.20": 497,
    "pgqueuer.200": 13_009,
    "dbos.queue50": 41,
    "dbos.direct": 45,
    "huey.sqlite": 3_094,
    "rq.fork": 33.5,
    "rq.simple": 200,
    "dramatiq.8": 2_002,
    "celery.2": 753,
}

REASONS: dict[str, str] = {}  # by name: why less is right on this machine


def short(name: str, median: float) -> str | None:
    """What is to be said of an engine that is too slow, or None."""
    expected = EXPECTED.get(name)
    if expected is None or median >= (1 - SHORT) * expected:
        return None
    return f"{name}: {median:,.0f} jobs/s, expected about {expected:,.0f}"
