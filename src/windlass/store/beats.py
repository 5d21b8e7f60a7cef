"""A journal on a connection of its own, for a pulse: it must not wait behind the others' work."""

from collections.abc import Awaitable, Callable

from windlass.engine.pulse import Beats
from windlass.store.database import Database
from windlass.store.journal import SqlJournal


class OwnJournal(SqlJournal):
    """Opens its own connections, and closes them."""

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    async def close(self) -> None:
        """Let go of the connections too."""
        await super().close()
        await self.database.close()


def beats_at(url: str) -> Callable[[], Awaitable[Beats]]:
    """What a pulse calls, in its own thread, to get its connection."""

    async def connect() -> Beats:
        return OwnJournal(url)

    return connect
