"""A queue in memory: for tests and for a single process; it dies with it."""

import asyncio
import heapq
from collections.abc import Collection, Mapping
from typing import Any

from windlass.engine.queue import Nudge


class MemoryQueue:
    """`memory:`; nudges by priority, then in the order they came."""

    def __init__(self, url: str, database: Any = None) -> None:
        self.heap: list[tuple[int, int, Nudge]] = []
        self.count = 0
        self.came = asyncio.Condition()

    async def put(self, nudges: Collection[Nudge]) -> None:
        """Ring for these jobs."""
        async with self.came:
            for nudge in nudges:
                self.count += 1
                heapq.heappush(self.heap, (nudge.priority, self.count, nudge))
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
        """The first nudge of one of these tubes, out of the heap."""
        fitting = [entry for entry in self.heap if entry[2].tube in tubes]
        if not fitting:
            return None
        first = min(fitting)
        self.heap.remove(first)
        heapq.heapify(self.heap)
        return first[2]

    async def delete(self, nudge: Nudge) -> None:
        """Nothing: what is reserved is gone already."""

    async def close(self) -> None:
        """Nothing to let go of."""
