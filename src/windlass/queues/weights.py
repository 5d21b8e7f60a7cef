"""Turns of tubes: each gets its share by weight, and none that has something is forgotten."""

from collections.abc import Mapping
from fractions import Fraction


class Turns:
    """Weighted round robin over those tubes that have something, without asking which have.

    Every tube has a next turn on a clock that only turns move; with weight w its turns lie 1/w
    apart. The earliest one is taken. A tube that was empty meanwhile has saved nothing up.
    """

    def __init__(self) -> None:
        self.now = Fraction(0)
        self.next: dict[str, Fraction] = {}

    def order(self, tubes: Mapping[str, int]) -> list[str]:
        """The tubes by their turns: take from the first that has something."""
        return sorted(tubes, key=lambda tube: (self.turn(tube), -tubes[tube]))

    def took(self, tube: str, weight: int) -> None:
        """A tube has had its turn; a weight below 1 counts as 1, for nobody is to starve."""
        self.now = self.turn(tube)
        self.next[tube] = self.now + Fraction(1, max(weight, 1))

    def turn(self, tube: str) -> Fraction:
        """When a tube's next turn is: never in the past."""
        return max(self.next.get(tube, self.now), self.now)
