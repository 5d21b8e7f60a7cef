"""A queue in memory: for tests and for a single process; it dies with it."""

import asyncio
import heapq
from collections.abc import Collection, Mapping
from typing import Any

from windlass.engine.queue import Nudge
from windlass.queues.weights import Turns


class MemoryQueue:
    """`memory:`; tubes by their weights, in each nudges by priority, then as they came."""

    def __init__(self, url: str, database: Any = None) -> None:
        self.heaps: dict[str, list[tuple[int, int, Nudge]]] = {}
        self.count = 0
        self.turns = Turns()
        self.came = asyncio.Condition()

    async def put(self, nudges: Collection[Nudge]) -> None:
        """Ring for these jobs."""
        async with self.came:
            for nudge in nudges:
                self.count += 1
                heap = self.heaps.setdefault(nudge.tube, [])
                heapq.heappush(heap, (nudge.priority, self.count, nudge))
            self.came.notify_all()

    async def reserve(self, tubes: Mapping[str, int], patience: float) -> Nudge | None:
        """The next nudge of these tubes; None after `patience` seconds."""
        try:
            async with asyncio.timeout(patience), self.came:
                while (found := self.take(tubes)) is None:
                    await self.came.wait()
                return found
        except TimeoutError:
            return None

    def take(self, tubes: Mapping[str, int]) -> Nudge | None:
        """The first nudge of the tube whose turn it is, of those that have one."""
        for tube in self.turns.order(tubes):
            if heap := self.heaps.get(tube):
                self.turns.took(tube, tubes[tube])
                return heapq.heappop(heap)[2]
        return None

    async def delete(self, nudge: Nudge) -> None:
        """Nothing: what is reserved is gone already."""

    async def check(self) -> None:
        """Nothing: it is always here."""

    async def close(self) -> None:
        """Nothing to let go of."""
