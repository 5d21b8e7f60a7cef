"""What is taken: a reading, and the measurement that takes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import Figure


@dataclass
class Reading:
    """What was measured: a number, and what else was seen."""

    value: float
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """Takes one reading; some are long, and repeat within themselves: then once is enough."""

    name: str
    unit: str
    take: Callable[[Any], Reading]
    once: bool = False


@dataclass(frozen=True)
class Suite:
    """Figures, and the measurements that they are made of; `expected` is what others reached."""

    name: str
    figures: Sequence[Figure]
    measurements: Sequence[Measurement]
    expected: Mapping[str, float] = field(default_factory=dict)

    def unit(self, name: str) -> str:
        """What a measurement counts."""
        return next(one.unit for one in self.measurements if one.name == name)
