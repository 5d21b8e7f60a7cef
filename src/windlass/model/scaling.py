"""How many gears an application has: its bounds, and what a wish comes to (pure)."""

from dataclasses import dataclass

from windlass.errors import Refused

MOST = 100  # gears of one application: a deployment has six steps for each, a job a thousand
NO_LIMIT = -1  # as `scales_to`: as many as the owner may have


@dataclass(frozen=True)
class Bounds:
    """The fewest and the most gears that an application may have."""

    least: int
    most: int  # or NO_LIMIT

    @property
    def highest(self) -> int:
        """The most, as a number."""
        return MOST if self.most == NO_LIMIT else min(self.most, MOST)

    def nearest(self, gears: int) -> int:
        """The number within the bounds that is nearest to this one."""
        return max(self.least, min(gears, self.highest))


@dataclass(frozen=True)
class Wish:
    """So many gears, or so many more (fewer, if negative) than there are; `to` beats `by`."""

    to: int | None = None
    by: int = 0

    def goal(self, have: int, bounds: Bounds) -> int:
        """How many gears there shall be; Refused beyond the bounds."""
        goal = have + self.by if self.to is None else self.to
        field = "by" if self.to is None else "to"
        if goal < bounds.least:
            raise Refused(
                f"that would be {goal} gears, and the least is {bounds.least} (scales_from)",
                field=field,
                code=168,
            )
        if goal > bounds.highest:
            which = "scales_to" if bounds.highest == bounds.most else "for one application"
            raise Refused(
                f"that would be {goal} gears, and the most is {bounds.highest} ({which})",
                field=field,
                code=168,
            )
        return goal


def check_bounds(least: int, most: int) -> Bounds:
    """The bounds, or Refused with what they may be."""
    if not 1 <= least <= MOST:
        raise Refused(f"scales_from is 1 to {MOST}", field="scales_from", code=168)
    if most != NO_LIMIT and not least <= most <= MOST:
        raise Refused(
            f"scales_to is scales_from ({least}) to {MOST}, or {NO_LIMIT} for no limit",
            field="scales_to",
            code=168,
        )
    return Bounds(least, most)
