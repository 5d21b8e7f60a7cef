"""Turns by weight: everybody gets a share, nobody starves, nothing is saved up."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from windlass.queues.weights import Turns

NAMES = st.sampled_from("abcd")


def taken(turns: Turns, tubes: Mapping[str, int], times: int, has: str = "abcd") -> str:
    """Who has had a turn, in order, when only some of the tubes have something."""
    told = ""
    for _ in range(times):
        tube = next(tube for tube in turns.order(tubes) if tube in has)
        turns.took(tube, tubes[tube])
        told += tube
    return told


def test_turns_are_shared_by_weight() -> None:
    assert taken(Turns(), {"a": 3, "b": 1}, 8) == "abaaabaa"


def test_equal_weights_alternate() -> None:
    assert taken(Turns(), {"a": 1, "b": 1, "c": 1}, 6) == "abcabc"


def test_a_tube_that_was_empty_has_saved_nothing_up() -> None:
    turns, tubes = Turns(), {"a": 1, "b": 1}
    taken(turns, tubes, 100, has="a")
    assert sorted(taken(turns, tubes, 10)) == list("aaaaabbbbb")


def test_a_tube_that_was_alone_has_no_debts() -> None:
    turns = Turns()
    taken(turns, {"a": 1}, 100)
    assert sorted(taken(turns, {"a": 1, "b": 1}, 10)) == list("aaaaabbbbb")


def test_a_weight_of_nothing_counts_as_one() -> None:
    assert Counter(taken(Turns(), {"a": 0, "b": -5, "c": 1}, 9)) == {"a": 3, "b": 3, "c": 3}


@given(st.dictionaries(NAMES, st.integers(1, 20), min_size=1), st.integers(1, 5))
def test_whole_rounds_are_exact(tubes: dict[str, int], rounds: int) -> None:
    told = taken(Turns(), tubes, rounds * sum(tubes.values()))
    assert Counter(told) == {tube: rounds * weight for tube, weight in tubes.items()}


@given(
    st.lists(st.tuples(st.sets(NAMES, min_size=1), st.integers(1, 9)), max_size=10),
    st.fixed_dictionaries({name: st.integers(1, 20) for name in "abcd"}),
)
def test_nobody_who_has_something_waits_longer_than_a_round(
    past: list[tuple[set[str], int]], tubes: dict[str, int]
) -> None:
    turns = Turns()
    for has, times in past:
        taken(turns, tubes, times, has="".join(has))
    assert set(taken(turns, tubes, sum(tubes.values()) + len(tubes))) == set(tubes)
