"""Requests on their way: sent to an instance, or about to be, and not yet answered by it."""

import asyncio
from collections.abc import Set


class Underway:
    """How many there are for each address; tells when the last one to a left address is over."""

    def __init__(self, news: asyncio.Event) -> None:
        self._news = news
        self._to: dict[str, int] = {}
        self._left: Set[str] = frozenset()

    def begin(self, address: str) -> None:
        """A request sets out."""
        self._to[address] = self._to.get(address, 0) + 1

    def end(self, address: str) -> None:
        """The instance has begun to answer, or never will."""
        left = self._to[address] - 1
        if left:
            self._to[address] = left
            return
        del self._to[address]
        if address in self._left:
            self._news.set()

    def outside(self, addresses: Set[str]) -> Set[str]:
        """Where requests are still on their way to, of all that these do not name."""
        self._left = self._to.keys() - addresses
        return self._left
