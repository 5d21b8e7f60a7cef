"""An operation outside the platform: a bakery whose orders are durable jobs.

python bakery.py order lemon     # accepted at once; prints the job's number
python bakery.py work            # a worker, until Ctrl-C; kill -9 it and start another
python bakery.py show 1          # how far it is

Python is one that has windlass: of a clone, `.venv/bin/python`, which the scripts have made.
"""

import asyncio
import signal
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from windlass.embedded import Engine
from windlass.engine.lease import JobId, Lease
from windlass.engine.operation import Hold, Operation, Plan, Step
from windlass.engine.scope import Scope
from windlass.errors import Refused, WindlassError


@dataclass(frozen=True)
class Bakery:
    """The world: an oven and a counter, both in a folder."""

    folder: Path

    def within(self, transaction: Any, job: JobId) -> Self:
        """Nothing of ours is in the datastore."""
        return self

    def under(self, lease: Lease) -> Self:
        """Files know no leases; what must not be touched by the dead would check it here."""
        return self

    def shelf(self, name: str) -> Path:
        """Where a cake stands."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}.cake"


@dataclass(frozen=True)
class Bake(Step[Bakery]):
    """A cake comes out of the oven; baking it twice makes one cake."""

    flavour: str

    async def do(self, world: Bakery) -> None:
        """Bake it."""
        if self.flavour == "gravel":
            raise Refused("nobody bakes with gravel")
        world.shelf(self.flavour).write_text("plain")

    async def undo(self, world: Bakery) -> None:
        """Eat it; one that is not there, too."""
        world.shelf(self.flavour).unlink(missing_ok=True)


@dataclass(frozen=True)
class Decorate(Step[Bakery]):
    """Something is written on a cake."""

    flavour: str
    text: str

    async def do(self, world: Bakery) -> None:
        """Write it."""
        world.shelf(self.flavour).write_text(self.text)

    async def undo(self, world: Bakery) -> None:
        """Scrape it off, if the cake is there."""
        if world.shelf(self.flavour).exists():
            world.shelf(self.flavour).write_text("plain")


@dataclass(frozen=True)
class OrderCake(Operation[Bakery]):
    """A cake of a flavour, with a text; one of each flavour at a time."""

    flavour: str
    text: str = "Happy birthday"
    also: str = ""

    @property
    def scope(self) -> Scope:
        """Orders of one flavour wait for each other."""
        return Scope(exclusive={f"cake-{self.flavour}"})

    async def reserve(self, world: Bakery) -> Collection[Hold]:
        """What can never succeed is refused at the door."""
        if not self.flavour.isalpha():
            raise Refused("a flavour is a word", field="flavour")
        return ()

    async def elaborate(self, world: Bakery) -> Plan[Bakery]:
        """Bake, then decorate; a second cake is baked beside the first."""
        if self.also:
            yield Bake(self.flavour), Bake(self.also)
        else:
            yield Bake(self.flavour)
        yield Decorate(self.flavour, self.text)


USAGE = "usage: python bakery.py order FLAVOUR [TEXT [ALSO]] | work | show JOB"


async def show(engine: Engine[Bakery], job: JobId) -> None:
    """Print how far a job is, and why it failed."""
    view = await engine.job(job)
    print(view.phase, *(f"\n  {step.state} {step.title}" for step in view.steps))
    if view.trouble:
        print(view.trouble.text)


async def work(engine: Engine[Bakery]) -> None:
    """Work until Ctrl-C."""
    worker = engine.worker()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, worker.stop)
    await worker.run()


async def main(*words: str) -> None:
    """One command."""
    engine = await Engine.open("sqlite:///bakery.db", Bakery(Path("counter")))
    try:
        match words:
            case ("order", flavour, *more) if len(more) <= 2:
                print(await engine.submit(OrderCake(flavour, *more)))
            case ("show", number) if number.isdecimal():
                await show(engine, JobId(int(number)))
            case ("work",):
                await work(engine)
            case _:
                sys.exit(USAGE)
    except WindlassError as error:
        sys.exit(str(error))
    finally:
        await engine.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
