"""The run: round after round, everybody once in each, nobody always first."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from benchmarks.figures import Figure, Values
from benchmarks.processes import Failed
from benchmarks.readings import Measurement, Reading, Suite


@dataclass
class Results:
    """What was read in each round, by measurement, and what failed."""

    readings: dict[str, list[Reading | None]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def values(self, name: str) -> list[float]:
        """What a measurement came to, without the rounds in which it failed."""
        return [one.value for one in self.readings.get(name, []) if one is not None]

    def figure(self, figure: Figure) -> list[float]:
        """A figure's value in each round that has all it is made of."""
        rounds = max((len(self.readings.get(name, [])) for name in figure.of), default=0)
        seen = [self.round(figure, number) for number in range(rounds)]
        return [figure.value(values) for values in seen if values is not None]

    def round(self, figure: Figure, number: int) -> Values | None:
        """What a figure is made of in one round; None if something is missing."""
        values: dict[str, float] = {}
        for name in figure.of:
            there = self.readings.get(name, [])
            reading = there[number] if number < len(there) else None
            if reading is None:
                return None
            values |= named(name, reading)
        return values


def named(name: str, reading: Reading) -> dict[str, float]:
    """A reading's numbers by name."""
    return {name: reading.value} | {
        f"{name}:{key}": float(value)
        for key, value in reading.more.items()
        if isinstance(value, int | float)
    }


def chosen(suite: Suite, only: Sequence[str]) -> list[Measurement]:
    """What these names (of figures and measurements, with `*`) come to; all without any."""
    if not only:
        return list(suite.measurements)
    parts = {name for one in suite.figures if matches(one.name, only) for name in one.of}
    found = [one for one in suite.measurements if one.name in parts or matches(one.name, only)]
    known = [one.name for one in (*suite.figures, *suite.measurements)]
    for pattern in only:
        if not any(fnmatch(name, pattern) for name in known):
            sys.exit(f"there is no figure or measurement {pattern!r}; --list names them")
    return found


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns fits."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def run(bench: Any, measurements: Sequence[Measurement], repeat: int, results: Results) -> None:
    """Everything, so many times; what repeats within itself comes last."""
    many = [one for one in measurements if not one.once]
    for number in range(repeat):
        turn = number * max(1, len(many) // repeat) % max(1, len(many))
        for one in many[turn:] + many[:turn]:
            take(bench, one, results, f"{number + 1}/{repeat}")
    for one in measurements:
        if one.once:
            take(bench, one, results, "once")


def take(bench: Any, one: Measurement, results: Results, which: str) -> None:
    """One reading; what fails is told and does not end the run."""
    began = time.monotonic()
    reading: Reading | None = None
    said: Any = "failed"
    try:
        reading = one.take(bench)
        said = f"{reading.value:,.2f} {one.unit}"
    except Failed as error:
        results.failures[one.name] = str(error)
    results.readings.setdefault(one.name, []).append(reading)
    took = time.monotonic() - began
    print(f"{which:>5}  {one.name:<32} {said:>20}   in {took:.0f} s", file=sys.stderr, flush=True)
