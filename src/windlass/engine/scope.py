"""Scopes: the paths that a job works on, and which jobs must wait for which (pure).

A shared path is an intention: it keeps away whoever wants that path or one above it for himself,
but not those who want something below it. So two applications of one domain are created side by
side, each holding the domain shared, and renaming the domain waits for both.
"""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from windlass.engine.lease import JobId


@dataclass(frozen=True)
class Scope:
    """Paths (`d7` a domain, `d7/a1` an application in it), held exclusively or shared."""

    exclusive: AbstractSet[str] = frozenset()
    shared: AbstractSet[str] = frozenset()

    def roots(self) -> list[str]:
        """The first parts of all paths, sorted: what is locked while the line is changed."""
        return sorted({path.partition("/")[0] for path in (*self.exclusive, *self.shared)})

    def rows(self) -> list[tuple[str, bool]]:
        """Each path once, with whether it is held exclusively."""
        rows = dict.fromkeys(self.shared, False) | dict.fromkeys(self.exclusive, True)
        return sorted(rows.items())

    @classmethod
    def of(cls, rows: Iterable[tuple[str, bool]]) -> "Scope":
        """A scope from its rows."""
        rows = list(rows)
        return cls(
            frozenset(path for path, exclusive in rows if exclusive),
            frozenset(path for path, exclusive in rows if not exclusive),
        )


def covers(above: str, below: str) -> bool:
    """Whether a path equals another or contains it."""
    return below == above or below.startswith(above + "/")


def conflict(one: Scope, other: Scope) -> bool:
    """Whether two jobs must go one after the other."""
    return (
        any(covers(a, b) or covers(b, a) for a in one.exclusive for b in other.exclusive)
        or any(covers(a, b) for a in one.exclusive for b in other.shared)
        or any(covers(a, b) for a in other.exclusive for b in one.shared)
    )


def blockers(scope: Scope, before: Iterable[tuple[JobId, Scope]]) -> list[JobId]:
    """The jobs before it in line that a job must wait for."""
    return [job for job, theirs in before if conflict(scope, theirs)]


def within(paths: Collection[str], scope: Scope) -> bool:
    """Whether what a scope is about, all that it holds exclusively, lies at or below the paths."""
    about = scope.exclusive or scope.shared
    return bool(about) and all(any(covers(path, one) for path in paths) for one in about)
