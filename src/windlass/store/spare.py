"""Connections of the driver's own for hot statements: each a transaction, its plan made once."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

# Who is frozen inside a transaction holds its rows, the fence too: the server ends it for him.
FROZEN = {"idle_in_transaction_session_timeout": "10s"}
# A plan is made once, perhaps on empty tables: it must be the one that large ones want.
HOT = FROZEN | {
    "lock_timeout": "10s",  # or we would give up first, and not know what became of it
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
    "enable_hashjoin": "off",
}


class Spare:
    """Connections that are made when none is idle, and kept."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.idle: list[Any] = []

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection; one that broke is not used again."""
        while self.idle and self.idle[-1].is_closed():
            self.idle.pop()
        connection = self.idle.pop() if self.idle else await self.connect()
        try:
            yield connection
        except BaseException:
            connection.terminate()
            raise
        self.idle.append(connection)

    async def connect(self) -> Any:
        """A new one."""
        return await asyncpg.connect(self.url, timeout=10, command_timeout=60, server_settings=HOT)

    async def close(self) -> None:
        """Close what is idle."""
        for connection in self.idle:
            with contextlib.suppress(OSError, asyncpg.PostgresError, TimeoutError):
                await connection.close(timeout=5)
        self.idle = []
