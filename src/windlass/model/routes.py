"""Routes: which host name is answered by which instances."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from windlass.model.ids import RouterId


@dataclass(frozen=True)
class Route:
    """A host name, and who answers there; an application that is stopped has no addresses."""

    host: str
    application: str  # its name, for the page that says it does not run
    addresses: tuple[str, ...] = ()  # host:port each


@dataclass(frozen=True)
class Snapshot:
    """Every route that there is, as of a version."""

    version: int
    routes: tuple[Route, ...]


class Routes(Protocol):
    """Where a router reads its table, and hears that it may have changed.

    Everything raises Transient while the datastore is away.
    """

    async def all(self, known: int | None) -> Snapshot | None:
        """Every route there is, or None while `known` is still their version."""

    async def changed(self, patience: float) -> None:
        """Return when something may have changed, at the latest after `patience` seconds."""

    async def enter(self, router: RouterId) -> None:
        """A router begins: from now on switches wait until it serves what is new."""

    async def beat(self, router: RouterId, serves: int, *, quiet: bool) -> Mapping[RouterId, int]:
        """It lives, and serves this version, which is news unless `quiet`; the beats of all.

        Its own is missing if it was taken for dead: then nobody waits for it any more.
        """

    async def strike(self, router: RouterId) -> None:
        """A router has gone, or stands still."""

    async def close(self) -> None:
        """Let go of the datastore."""
