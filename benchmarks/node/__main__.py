"""`script/bench node`: the node beside what it is made of, interleaved in one run."""

import argparse
import platform
import signal
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks import report, rounds
from benchmarks.machine import machine
from benchmarks.node.measurements import NODE
from benchmarks.node.place import place

DESCRIPTION = """Measures the node and its router. Prints medians (min-max) and writes them to
benchmarks/results/. Fails where something could not be measured."""
VERSIONS = ("windlass", "aiohttp", "uvloop")


def main() -> int:
    """Do what was asked; the exit code."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped
    only = [name for given in asked.only for name in given.split(",") if name]
    measurements = rounds.chosen(NODE, only)
    facts = machine() | {"python": platform.python_version()}
    facts |= {name: version(name) for name in VERSIONS}
    results = rounds.Results()
    with place(asked.quick, asked.profile and asked.profile.resolve()) as here:
        try:
            rounds.run(here, measurements, asked.repeat or (1 if asked.quick else 5), results)
        except KeyboardInterrupt:
            results.failures["the run"] = "it was interrupted; this is what there was until then"
    report.show(NODE, results)
    ending = "node" + ("-quick" if asked.quick else "") + ("-part" if only else "")
    print(f"\nwritten to benchmarks/results/{report.write(NODE, results, facts, ending).name}")
    said = report.complaints(NODE, results)
    for one in said:
        print(f"\n{one}", file=sys.stderr)
    return int(bool(said))


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="script/bench node", description=DESCRIPTION)
    parser.add_argument("--quick", action="store_true", help="one round of small numbers")
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds (5; with --quick 1)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME,...")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="run the router in cProfile")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
