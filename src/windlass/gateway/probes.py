"""Probes: whether an address at which connecting failed accepts again."""

import asyncio
import time

import structlog

from windlass.gateway.balance import Balance
from windlass.gateway.table import Table

log = structlog.get_logger()

FIRST, LONGEST = 0.1, 1.0  # seconds until the first look, and between looks in the end
CONNECT = 2.0  # seconds in which a well instance accepts


class Probes:
    """Leaves addresses out of balancing until they accept: no request is spent on finding out."""

    def __init__(self, table: Table, balance: Balance) -> None:
        self._table, self._balance = table, balance
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._met: dict[str, int] = {}  # requests that found nobody there, since it is left out

    def leave_out(self, address: str) -> None:
        """Connecting failed: from now on we look ourselves."""
        self._balance.avoid(address)
        self._met[address] = self._met.get(address, 0) + 1
        if address not in self._looking:
            log.info("instance.left_out", address=address)
            self._looking[address] = asyncio.create_task(self._look(address))

    async def close(self) -> None:
        """Look no more."""
        looking = list(self._looking.values())
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    async def _look(self, address: str) -> None:
        pause, began = FIRST, time.monotonic()
        try:
            await asyncio.sleep(pause)
            while not await accepts(address):
                if address not in self._table.addresses:
                    return
                pause = min(2 * pause, LONGEST)
                await asyncio.sleep(pause)
            seconds = round(time.monotonic() - began, 1)
            log.info("instance.back", address=address, after=seconds, met=self._met[address])
        finally:
            del self._looking[address], self._met[address]
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
