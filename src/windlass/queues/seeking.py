"""Taking nudges from servers: one look at a time at each, and turns by weight among the finds."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from windlass.engine.queue import Nudge
from windlass.errors import Transient
from windlass.queues.weights import Turns

WAIT = 1  # seconds that a server is asked to wait; a change of the tubes may have to wait for it


class Source(Protocol):
    """A server that nudges are taken from; its methods raise Transient while it is away."""

    @property
    def why(self) -> str | None:
        """Why it is away; None while it is here."""

    async def seek(self, order: Sequence[str], seconds: int) -> Nudge | None:
        """A nudge of the first of these tubes that has one, or that gets one in this time."""

    async def give_back(self, nudge: Nudge) -> None:
        """This one is not wanted here."""


class Lookout:
    """Looks for a nudge at one source, and keeps what it finds until that is asked for.

    A look outlives the one who asked for it: to cut it off could lose what the server gave.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: Nudge | None = None
        self.look: asyncio.Future[None] | None = None

    def begin(self, order: Sequence[str], seconds: int) -> asyncio.Future[None]:
        """Look, unless a look is under way: then that one."""
        if self.look is None or self.look.done():
            self.look = asyncio.ensure_future(self.seek(order, seconds))
        return self.look

    async def seek(self, order: Sequence[str], seconds: int) -> None:
        """Find one of these tubes; give back what was found for somebody else."""
        with contextlib.suppress(Transient):  # the source says why it is away
            if self.found is not None and self.found.tube not in order:
                stranger, self.found = self.found, None
                await self.source.give_back(stranger)
            if self.found is None:
                self.found = await self.source.seek(order, seconds)

    async def close(self) -> None:
        """Look no more."""
        if self.look is not None:
            self.look.cancel()
            await asyncio.gather(self.look, return_exceptions=True)
        if self.found is not None:
            with contextlib.suppress(Transient):
                await self.source.give_back(self.found)


class Seeker:
    """Takes nudges from several sources as if they were one; the dead are left out.

    For a worker, or for several callers that ask for the same tubes.
    """

    def __init__(self, sources: Collection[Source]) -> None:
        self.lookouts = [Lookout(source) for source in sources]
        self.turns = Turns()

    async def reserve(self, tubes: Mapping[str, int], patience: float) -> Nudge | None:
        """The next nudge of these tubes; None after `patience` seconds."""
        clock = asyncio.get_running_loop().time
        until = clock() + patience
        await self.glance(tubes)
        while (nudge := self.pick(tubes)) is None:
            here = self.here()
            if (left := until - clock()) <= 0:
                return None
            order = self.turns.order(tubes)
            looks = [lookout.begin(order, WAIT) for lookout in here]
            done, _ = await asyncio.wait(looks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for look in done:
                look.result()
        return nudge

    async def glance(self, tubes: Mapping[str, int]) -> None:
        """See what is there now, however little patience there is."""
        order = self.turns.order(tubes)
        idle = [one for one in self.lookouts if one.look is None or one.look.done()]
        if idle:
            await asyncio.wait([lookout.begin(order, 0) for lookout in idle])

    def pick(self, tubes: Mapping[str, int]) -> Nudge | None:
        """Of what was found the one whose tube's turn it is; the most urgent, if there are more."""
        found = [(one.found, one) for one in self.lookouts if one.found is not None]
        for tube in self.turns.order(tubes):
            fitting = [pair for pair in found if pair[0].tube == tube]
            if fitting:
                nudge, lookout = min(fitting, key=lambda pair: pair[0].priority)
                lookout.found = None
                self.turns.took(tube, tubes[tube])
                self.lookouts.remove(lookout)  # the last one next time, or it would be preferred
                self.lookouts.append(lookout)
                return nudge
        return None

    def here(self) -> list[Lookout]:
        """Those whose source is here; Transient if there is none."""
        here = [lookout for lookout in self.lookouts if lookout.source.why is None]
        if not here:
            raise Transient("; ".join(str(lookout.source.why) for lookout in self.lookouts))
        return here

    async def close(self) -> None:
        """Give back what was found and look no more."""
        for lookout in self.lookouts:
            await lookout.close()
