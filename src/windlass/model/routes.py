"""Routes: which host name is answered by which instances."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Route:
    """A host name, and who answers there; an application that is stopped has no addresses."""

    host: str
    application: str  # its name, for the page that says it is stopped
    addresses: tuple[str, ...] = ()  # host:port each


class Routes(Protocol):
    """Where a router reads its table, and hears that it may have changed."""

    async def all(self) -> list[Route]:
        """Every route there is. Raises Transient while the datastore is away."""

    async def changed(self, patience: float) -> None:
        """Return when something may have changed, at the latest after `patience` seconds."""

    async def close(self) -> None:
        """Let go of the datastore."""
