"""Isolation: what each gear of a node has for itself, and what it shares with its neighbours."""

from dataclasses import dataclass
from enum import StrEnum


class Kept(StrEnum):
    """How one gear is kept from what belongs to another."""

    OWN = "own"  # it has its own, and no way to another's
    MEASURED = "measured"  # it is looked at now and then, and stopped beyond its size
    SHARED = "shared"


@dataclass(frozen=True)
class Aspect:
    """One part of a machine: whose it is, and a sentence that says what that means."""

    name: str
    kept: Kept
    note: str
