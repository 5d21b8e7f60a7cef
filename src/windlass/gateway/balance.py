"""Which of an application's addresses gets the next request."""

from collections.abc import Collection, Sequence


class Balance:
    """Least requests in flight first, in turn among equals; sick addresses last of all."""

    def __init__(self) -> None:
        self._in_flight: dict[str, int] = {}
        self._sick: set[str] = set()
        self._turn = 0

    def choose(self, addresses: Sequence[str], tried: Collection[str] = ()) -> str | None:
        """An address that was not tried yet, or None when all were."""
        if len(addresses) == 1 and not tried:
            return addresses[0]
        left = [address for address in addresses if address not in tried]
        if not left:
            return None
        # When all are sick they are asked nevertheless: one may have come back just now.
        well = [address for address in left if address not in self._sick] or left
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
        """Leave this address out: nobody accepts there."""
        self._sick.add(address)

    def welcome(self, address: str) -> None:
        """It accepts again, or nobody asks for it any more."""
        self._sick.discard(address)

    def _load(self, address: str) -> int:
        return self._in_flight.get(address, 0)
