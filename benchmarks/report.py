"""The table that people read, and the JSON that is kept."""

import json
import statistics
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.expected import REASONS, short
from benchmarks.figures import Figure
from benchmarks.readings import Suite
from benchmarks.rounds import Results

FOLDER = Path(__file__).parent / "results"


def write(suite: Suite, results: Results, machine: dict[str, Any], ending: str) -> Path:
    """Keep everything, as `results/<date>-<ending>.json`."""
    path = FOLDER / f"{date.today().isoformat()}-{ending}.json"
    FOLDER.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept(suite, results, machine), indent=1) + "\n")
    return path


def kept(suite: Suite, results: Results, machine: dict[str, Any]) -> dict[str, Any]:
    """Everything as JSON types."""
    return {
        "date": date.today().isoformat(),
        "machine": machine,
        "figures": {
            one.name: {"title": one.title, "unit": one.unit}
            | summed(values)
            | {"must": one.must, "aim": one.aim, "holds": verdict(one, values)}
            for one in suite.figures
            if (values := results.figure(one))
        },
        "measurements": {
            name: {"unit": suite.unit(name)}
            | summed(results.values(name))
            | {"readings": [one and {"value": one.value} | one.more for one in readings]}
            for name, readings in results.readings.items()
        },
        "failures": {name: why.splitlines()[0] for name, why in results.failures.items()},
    }


def summed(values: Sequence[float]) -> dict[str, float | None]:
    """Median, least and most."""
    if not values:
        return {"median": None, "min": None, "max": None}
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def verdict(figure: Figure, values: Sequence[float]) -> str:
    """Whether a figure holds, by its median."""
    median = statistics.median(values)
    if figure.holds(median, figure.aim):
        return "aim"
    return "must" if figure.holds(median, figure.must) else "no"


def show(suite: Suite, results: Results) -> None:
    """Print what was measured, then the figures."""
    print(f"\n{'measured':<32} {'median':>12} {'(min-max)':>24}  unit")
    for name in results.readings:
        values = results.values(name)
        unit = suite.unit(name)
        print(f"{name:<32} {middle(values):>12} {spread(values):>24}  {unit}")
    rows = [(one, values) for one in suite.figures if (values := results.figure(one))]
    if rows:
        print(f"\n{'figure':<10} {'median':>9} {'(min-max)':>20} {'must':>9} {'aim':>9}  holds")
    for one, values in rows:
        print(figure_line(one, values))


def figure_line(one: Figure, values: Sequence[float]) -> str:
    """A figure in a line."""
    sign = "<=" if one.most else ">="
    must, aim = (f"{sign} {number(goal, one.unit)}" for goal in (one.must, one.aim))
    least, most = number(min(values), one.unit), number(max(values), one.unit)
    median = number(statistics.median(values), one.unit)
    holds = {"aim": "yes, and the aim", "must": "yes", "no": "NO"}[verdict(one, values)]
    start = f"{one.name:<10} {median:>9} {f'({least}-{most})':>20} {must:>9} {aim:>9}"
    return f"{start}  {holds:<16}  {one.title}"


def number(value: float, unit: str) -> str:
    """A number as it is read: `8.2x`, `31%`, `4.1 s`."""
    if unit == "%":
        return f"{100 * value:.0f}%"
    return f"{value:.3g}{unit}" if unit == "x" else f"{value:.3g} {unit}"


def middle(values: Sequence[float]) -> str:
    """The median."""
    return f"{statistics.median(values):,.2f}" if values else "-"


def spread(values: Sequence[float]) -> str:
    """Least and most."""
    return f"({min(values):,.2f}-{max(values):,.2f})" if values else ""


def complaints(suite: Suite, results: Results) -> list[str]:
    """What makes the run fail: what could not be measured, and others that are far too slow."""
    said = [f"{name} could not be measured: {why}" for name, why in results.failures.items()]
    for name in suite.expected:
        values = results.values(name)
        if values and (slow := short(name, statistics.median(values))):
            if reason := REASONS.get(name):
                print(f"\n{slow}: {reason}")
            else:
                said.append(slow)
    return said
