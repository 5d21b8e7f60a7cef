"""Which jobs must wait for which."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from windlass.engine.lease import JobId
from windlass.engine.scope import Scope, blockers, conflict, covers

PATHS = st.sampled_from(["d1", "d1/a1", "d1/a2", "d2", "d2/a1", "d", "d1/a"])
SCOPES = st.builds(Scope, st.frozensets(PATHS, max_size=2), st.frozensets(PATHS, max_size=2))


def test_two_applications_of_a_domain_do_not_conflict() -> None:
    one = Scope({"d1/a1"}, {"d1", "u1"})
    other = Scope({"d1/a2"}, {"d1", "u1"})
    assert not conflict(one, other)
    assert conflict(one, Scope({"d1"}))
    assert conflict(one, Scope({"u1"}))
    assert not conflict(one, Scope({"u2"}))


def test_a_name_that_begins_alike_is_not_below() -> None:
    assert covers("d1", "d1/a1")
    assert not covers("d1", "d11")
    assert not covers("d1/a1", "d1")


@given(SCOPES, SCOPES)
def test_conflict_is_mutual(one: Scope, other: Scope) -> None:
    assert conflict(one, other) == conflict(other, one)


@given(st.lists(SCOPES, max_size=8))
def test_a_line_empties_and_no_two_that_conflict_run_together(scopes: list[Scope]) -> None:
    line = [(JobId(number), scope) for number, scope in enumerate(scopes)]
    while line:
        free = [one for place, one in enumerate(line) if not blockers(one[1], line[:place])]
        assert line[0] in free
        assert not any(conflict(one, other) for (_, one), (_, other) in combinations(free, 2))
        line = [one for one in line if one not in free]


@given(SCOPES)
def test_rows_keep_a_scope(scope: Scope) -> None:
    kept = Scope.of(scope.rows())
    assert kept.exclusive == scope.exclusive
    assert kept.shared == scope.shared - scope.exclusive
