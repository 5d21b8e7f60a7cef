"""The commands: fill, work, submit, singles, wake, claim; what is measured is printed as JSON."""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.ours.house import URL, House, house
from benchmarks.ours.operations import Errand
from windlass.daemon.logs import start_logging
from windlass.daemon.loops import run_for_long
from windlass.engine.journal import Crew
from windlass.store.schema import upgrade

AT_ONCE = 8  # submissions side by side while filling
SPACING = 0.05  # seconds between jobs of an idle worker
APART = 0.2  # seconds between single jobs in a crowd
PATIENCE = 30.0  # seconds for a job to begin


async def fill(asked: argparse.Namespace) -> None:
    """Submit so many jobs, one transaction each."""
    await upgrade(URL)
    numbers = iter(range(asked.count))

    async def submitting(house: House) -> None:
        for number in numbers:
            await house.submit(Errand(f"{asked.prefix}{number}", asked.steps, asked.lingers))

    async with house() as ours:
        await asyncio.gather(*(submitting(ours) for _ in range(AT_ONCE)))


async def work(asked: argparse.Namespace) -> None:
    """Work until SIGTERM."""
    async with house(marks=asked.marks) as ours:
        await ours.work(asked.slots)


async def submit(asked: argparse.Namespace) -> None:
    """Submit one after another: jobs a second."""
    await upgrade(URL)
    async with house() as ours:
        for number in range(50):
            await ours.submit(Errand(f"first{number}"))
        began = time.monotonic()
        for number in range(asked.count):
            await ours.submit(Errand(f"e{number}"))
        print(json.dumps(asked.count / (time.monotonic() - began)))


async def singles(asked: argparse.Namespace) -> None:
    """Submit single jobs, each of another owner: their numbers, and when each was accepted."""
    accepted = []
    async with house() as ours:
        for number in range(asked.count):
            job = await ours.submit(Errand(f"single{number}"), f"other{number}")
            accepted.append((job, time.monotonic()))
            await asyncio.sleep(APART)
    print(json.dumps(accepted))


async def wake(asked: argparse.Namespace) -> None:
    """Submit to an idle worker: milliseconds until each job's first step began."""
    submitted: dict[int, float] = {}
    async with house() as ours:
        for number in range(asked.count):
            began = time.monotonic()
            submitted[await ours.submit(Errand(f"e{number}"))] = began
            await asyncio.sleep(SPACING)
        begun = await marked(Path(asked.marks), set(submitted))
    print(json.dumps([1000 * (begun[job] - submitted[job]) for job in submitted]))


async def marked(marks: Path, jobs: set[int]) -> dict[int, float]:
    """When each of these jobs began, once all have."""
    async with asyncio.timeout(PATIENCE):
        while True:
            lines = (line.split() for line in marks.read_text().splitlines())
            begun = {int(job): float(at) for job, at in lines}
            if jobs <= begun.keys():
                return begun
            await asyncio.sleep(0.05)


async def claim(asked: argparse.Namespace) -> None:
    """Claim single jobs in turn from each datastore: seconds of each claim, one list for each."""
    took: list[list[float]] = [[] for _ in asked.urls]
    async with house(asked.urls[0]) as one, house(asked.urls[1]) as other:
        crews = [(place, place.crew(slots=asked.count)) for place in (one, other)]
        for place, crew in crews:
            await place.journal.enlist(crew)
            for _ in range(20):
                await claim_one(place, crew)
        for _ in range(asked.count):
            for seconds, (place, crew) in zip(took, crews, strict=True):
                seconds.append(await claim_one(place, crew))
    print(json.dumps(took))


async def claim_one(place: House, crew: Crew) -> float:
    """How long it takes to claim a job."""
    began = time.monotonic()
    claimed = await place.journal.claim(crew, crew.tubes, 1)
    took = time.monotonic() - began
    if not claimed:
        sys.exit("there was nothing to claim")
    return took


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.ours")
    commands = parser.add_subparsers(required=True)
    for command in (fill, work, submit, singles, wake, claim):
        added = commands.add_parser(command.__name__)
        added.set_defaults(command=command)
        added.add_argument("--count", type=int, default=1)
        added.add_argument("--steps", type=int, default=1)
        added.add_argument("--slots", type=int, default=20)
        added.add_argument("--lingers", action="store_true")
        added.add_argument("--prefix", default="e")
        added.add_argument("--marks")
        added.add_argument("--urls", nargs=2)
    return parser.parse_args()


if __name__ == "__main__":
    start_logging("bench")
    asked = arguments()
    run_for_long(asked.command(asked))
