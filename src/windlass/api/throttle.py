"""Failures counted by who failed, in a table that cannot grow without bound."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from windlass.api.problems import Problem

ROOM = 10_000  # of keys; the one that was quiet for longest is forgotten first


class Throttle:
    """Lets a key fail `most` times in `window` seconds."""

    def __init__(
        self, most: int, window: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most, self.window, self.clock = most, window, clock
        self.table: OrderedDict[str, tuple[float, int]] = OrderedDict()  # begun, failures

    def check(self, key: str) -> None:
        """Problem 429 if the key has failed too often."""
        begun, failures = self.standing(key)
        if failures >= self.most:
            left = max(1, round(begun + self.window - self.clock()))
            raise Problem(
                429,
                f"too many failed sign-ins; come again in {left} seconds",
                headers={"Retry-After": str(left)},
            )

    def count(self, key: str) -> None:
        """One more failure."""
        begun, failures = self.standing(key)
        self.table[key] = (begun, failures + 1)
        self.table.move_to_end(key)
        while len(self.table) > ROOM:
            self.table.popitem(last=False)

    def forgive(self, key: str) -> None:
        """One failure less: what was counted beforehand went well."""
        begun, failures = self.standing(key)
        if failures > 1:
            self.table[key] = (begun, failures - 1)
        else:
            self.table.pop(key, None)

    def standing(self, key: str) -> tuple[float, int]:
        """When the key's window began, and its failures since."""
        now = self.clock()
        begun, failures = self.table.get(key, (now, 0))
        return (begun, failures) if now < begun + self.window else (now, 0)


def origin(address: str) -> str:
    """An address as it is counted: of IPv6 the network, for a client has billions in it."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    return str(int(found) >> 64) if isinstance(found, IPv6Address) else str(found)
