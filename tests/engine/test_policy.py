"""How patient a retry is."""

import pytest

from windlass.engine.policy import Retry


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(Retry.cubic(), lambda n: n**3 + 5), (Retry.quartic(), lambda n: n**4 + 5)],
    ids=["backburner", "delayed_job"],
)
def test_as_patient_as_those_it_is_named_for(ours: Retry, theirs) -> None:  # type: ignore[no-untyped-def]
    """All in all, within what jitter may come to anyway."""
    tries = range(1, ours.attempts)
    steady = Retry(ours.attempts, ours.first, ours.factor, ours.longest, jitter=0)
    assert sum(map(steady.delay, tries)) == pytest.approx(sum(map(theirs, tries)), rel=ours.jitter)


def test_a_delay_grows_to_the_longest_and_no_further() -> None:
    retry = Retry(first=1, factor=2, longest=5, jitter=0)
    assert [retry.delay(tries) for tries in (1, 2, 3, 4, 1000)] == [1, 2, 4, 5, 5]
