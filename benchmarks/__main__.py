"""`script/bench engine`: the engine beside others, interleaved in one run."""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks import facts, report, rounds
from benchmarks.bench import bench
from benchmarks.measurements import ENGINE

DESCRIPTION = """Measures the engine beside others and beside what the datastores can do, on its
own PostgreSQL, Redis and beanstalkd. Prints medians (min-max) and writes them to
benchmarks/results/. Fails where something could not be measured, or another engine is more than
30 % below what it reached before (benchmarks/expected.py)."""


def main() -> int:
    """Do what was asked; the exit code."""
    asked = arguments()
    if asked.list:
        names()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped
    only = [name for given in asked.only for name in given.split(",") if name]
    measurements = rounds.chosen(ENGINE, only)
    repeat = asked.repeat or (1 if asked.quick else 5)
    if asked.profile:
        asked.profile = asked.profile.resolve()
        asked.profile.mkdir(parents=True, exist_ok=True)
    with bench(asked.quick, asked.profile) as place:
        machine = facts.facts(place)
        results = rounds.Results()
        try:
            rounds.run(place, measurements, repeat, results)
        except KeyboardInterrupt:
            results.failures["the run"] = "it was interrupted; this is what there was until then"
    report.show(ENGINE, results)
    ending = "engine" + ("-quick" if asked.quick else "") + ("-part" if only else "")
    print(f"\nwritten to benchmarks/results/{report.write(ENGINE, results, machine, ending).name}")
    return judged(results, asked.quick)


def judged(results: rounds.Results, quick: bool) -> int:
    """Say what went wrong; with small numbers only what could not be measured counts."""
    said = report.complaints(ENGINE, results)
    for one in said:
        print(f"\n{one}", file=sys.stderr)
    return int(bool(results.failures if quick else said))


def names() -> None:
    """What `--only` takes."""
    for figure in ENGINE.figures:
        print(f"{figure.name:<12} {figure.title}\n{'':<12} = {', '.join(figure.of)}")
    for one in ENGINE.measurements:
        print(f"{one.name:<32} {one.unit}")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="script/bench")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    engine = commands.add_parser(
        "engine", help="the job engine beside others", description=DESCRIPTION
    )
    engine.add_argument("--quick", action="store_true", help="one round of small numbers")
    engine.add_argument("--repeat", type=int, metavar="N", help="rounds (5; with --quick 1)")
    engine.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME,...",
        help="these figures or measurements; * stands for anything",
    )
    engine.add_argument("--list", action="store_true", help="name the figures and measurements")
    engine.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="run our workers under cProfile, into there"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
