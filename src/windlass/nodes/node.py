"""The contract of a node: a machine, or an engine over many, that runs gears."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from windlass.engine.lease import Lease
from windlass.model.cartridges import Action, Cartridge
from windlass.model.gears import Gear, GearReport, Instance, Place
from windlass.model.ids import GearId, ReleaseId
from windlass.model.isolation import Aspect


class Node(Protocol):
    """A machine that runs gears. Every call may come twice, may come late, and must not mind.

    Every call that changes something carries the lease of its job and raises LeaseLost where a
    later lease has been seen on that gear, also after the gear was removed. What may go well
    another time raises Transient, what never will raises Refused. A call that is cancelled has
    killed what it started before it returns.
    """

    async def create(self, gear: Gear, by: Lease) -> Place:
        """A home, an identity and limits; says where the gear's instances will answer."""

    async def remove(self, gear: GearId, by: Lease) -> None:
        """Nothing of the gear is left: no process, no file."""

    async def install(self, gear: Gear, cartridge: Cartridge, by: Lease) -> None:
        """Run the cartridge's `bin/install` in the gear."""

    async def uninstall(self, gear: Gear, cartridge: Cartridge, by: Lease) -> None:
        """Take away what the cartridge's install has put there."""

    async def publish(self, gear: Gear, variables: Mapping[str, str], by: Lease) -> None:
        """These are the gear's environment variables, and no others."""

    async def build(
        self, gear: Gear, cartridge: Cartridge, release: ReleaseId, source: Path | None, by: Lease
    ) -> None:
        """Make a release from a source archive (tar, any compression), or from the template.

        Raises Refused with the end of the build's output if it does not build.
        """

    async def copy(self, gear: Gear, release: ReleaseId, source: GearId, by: Lease) -> None:
        """The same release as in another gear of the application on this node."""

    async def keep(self, gear: Gear, releases: Collection[ReleaseId], by: Lease) -> None:
        """Delete every release but these."""

    async def activate(self, gear: Gear, release: ReleaseId | None, by: Lease) -> None:
        """Point `current` at a release, or at none."""

    async def serve(
        self, gear: Gear, cartridge: Cartridge, instances: Collection[Instance], by: Lease
    ) -> None:
        """Exactly these instances run: start the missing, leave the present, stop the rest."""

    async def control(self, gear: Gear, cartridge: Cartridge, action: Action, by: Lease) -> str:
        """Do this to the gear's running instances, or to its home; what came of it.

        RELOAD and THREAD_DUMP are Refused where nothing runs that listens, THREAD_DUMP returns
        the text; after KILL nothing runs until it is served again; TIDY returns bytes, as digits.
        """

    async def observe(self, gear: GearId, *, patience: float = 0.0) -> GearReport:
        """What is there, as far as can be seen now; probes each instance for an answer.

        One that accepts no connection yet may be waited for, up to `patience` seconds.
        """

    async def gears(self) -> set[GearId]:
        """The gears that are there, also half-made ones."""

    async def over(self) -> set[GearId]:
        """The gears that have filled more than their size, where nothing but us stops them."""

    async def sweep(self) -> list[str]:
        """Take away what gears that are gone have left behind; what was taken, in words."""

    async def isolation(self) -> tuple[Aspect, ...]:
        """What each gear has for itself here, and what it shares."""

    async def close(self) -> None:
        """Let go of connections and threads; gears go on."""
