"""Gears: an application's places to run, and what a node says of them."""

from dataclasses import dataclass, field
from enum import StrEnum

from windlass.model.ids import AppId, GearId, InstanceId, ReleaseId
from windlass.model.sizes import SMALL, Size


@dataclass(frozen=True)
class Gear:
    """A place to run, as a node must know it.

    `slot` is the gear's number on its node, unique there: uid and address follow from it.
    """

    id: GearId
    application: AppId
    slot: int
    size: Size = SMALL


@dataclass(frozen=True)
class Place:
    """Where a gear has been put: the address that its instances answer at, and its uid."""

    address: str
    uid: int


@dataclass(frozen=True)
class Instance:
    """One run of a release in a gear. A gear may have two while traffic moves over."""

    id: InstanceId
    release: ReleaseId
    health_path: str | None = None  # its cartridge's, unless it says


class InstanceState(StrEnum):
    """What a node sees of an instance."""

    STARTING = "starting"  # its process runs or is about to, and does not answer yet
    UP = "up"  # it answers
    CRASHED = "crashed"  # it ended by itself and is tried again, ever more slowly


@dataclass(frozen=True)
class InstanceReport:
    """An instance as its node sees it; `why` tells of the last crash in words."""

    id: InstanceId
    release: ReleaseId
    state: InstanceState
    address: str | None = None  # host:port, chosen by the node when it was first served
    restarts: int = 0
    why: str | None = None
    said: str | None = None  # the end of its log, while it does not answer


@dataclass(frozen=True)
class GearReport:
    """A gear as its node sees it; `present` is false where there is none."""

    id: GearId
    present: bool
    place: Place | None = None
    cartridges: frozenset[str] = frozenset()
    releases: frozenset[ReleaseId] = frozenset()
    active: ReleaseId | None = None
    variables: frozenset[str] = frozenset()
    instances: tuple[InstanceReport, ...] = field(default=())
    memory: int | None = None  # bytes in use, where the node can tell
    disk: int | None = None  # bytes in use
    kills: int = 0  # of its processes, ever, for want of memory

    def instance(self, id: InstanceId) -> InstanceReport | None:
        """The report of one instance, if the gear has it."""
        return next((one for one in self.instances if one.id == id), None)
