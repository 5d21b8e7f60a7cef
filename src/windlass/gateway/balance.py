"""Which of an application's addresses gets the next request."""

import time
from collections.abc import Callable, Collection, Sequence

SICK = 2.0  # seconds that an address is left out after connecting failed


class Balance:
    """Least requests in flight first, in turn among equals; sick addresses last of all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_flight: dict[str, int] = {}
        self._sick_until: dict[str, float] = {}
        self._turn = 0

    def choose(self, addresses: Sequence[str], tried: Collection[str] = ()) -> str | None:
        """An address that was not tried yet, or None when all were."""
        if len(addresses) == 1 and not tried:
            return addresses[0]
        left = [address for address in addresses if address not in tried]
        if not left:
            return None
        # When all are sick they are asked nevertheless: one may have come back just now.
        well = [address for address in left if not self._is_sick(address)] or left
        self._turn += 1
        first = self._turn % len(well)
        return min(well[first:] + well[:first], key=self._load)

    def begin(self, address: str) -> None:
        """A request goes to this address."""
        self._in_flight[address] = self._load(address) + 1

    def end(self, address: str) -> None:
        """A request to this address is over, however it went."""
        left = self._load(address) - 1
        if left:
            self._in_flight[address] = left
        else:
            del self._in_flight[address]  # addresses come and go; only the living are kept

    def avoid(self, address: str) -> None:
        """Leave this address out for a short while: nobody answers there."""
        now = self._clock()
        self._sick_until = {a: until for a, until in self._sick_until.items() if until > now}
        self._sick_until[address] = now + SICK

    def _load(self, address: str) -> int:
        return self._in_flight.get(address, 0)

    def _is_sick(self, address: str) -> bool:
        until = self._sick_until.get(address)
        return until is not None and until > self._clock()
