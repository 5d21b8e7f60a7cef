"""Probes: whether an address at which connecting failed accepts again."""

import asyncio

from windlass.gateway.balance import Balance
from windlass.gateway.table import Table

FIRST, LONGEST = 0.1, 1.0  # seconds until the first look, and between looks in the end
CONNECT = 2.0  # seconds in which a well instance accepts


class Probes:
    """Leaves addresses out of balancing until they accept: no request is spent on finding out."""

    def __init__(self, table: Table, balance: Balance) -> None:
        self._table, self._balance = table, balance
        self._looking: dict[str, asyncio.Task[None]] = {}

    def leave_out(self, address: str) -> None:
        """Connecting failed: from now on we look ourselves."""
        self._balance.avoid(address)
        if address not in self._looking:
            self._looking[address] = asyncio.create_task(self._look(address))

    async def close(self) -> None:
        """Look no more."""
        looking = list(self._looking.values())
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    async def _look(self, address: str) -> None:
        pause = FIRST
        try:
            await asyncio.sleep(pause)
            while address in self._table.addresses and not await accepts(address):
                pause = min(2 * pause, LONGEST)
                await asyncio.sleep(pause)
        finally:
            del self._looking[address]
            self._balance.welcome(address)


async def accepts(address: str) -> bool:
    """Whether somebody accepts a connection there."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
