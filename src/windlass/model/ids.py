"""The ids of things: a letter for the kind and sixty random bits, safe in paths and names."""

import secrets
from typing import NewType

UserId = NewType("UserId", str)
DomainId = NewType("DomainId", str)
AppId = NewType("AppId", str)
GearId = NewType("GearId", str)
InstanceId = NewType("InstanceId", str)
ReleaseId = NewType("ReleaseId", str)
NodeId = NewType("NodeId", str)
ChangeId = NewType("ChangeId", str)
RouterId = NewType("RouterId", str)

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: nothing that looks like something else


def new_id(letter: str) -> str:
    """A fresh id: `letter` and twelve random characters."""
    return letter + "".join(secrets.choice(ALPHABET) for _ in range(12))


def user_id() -> UserId:
    """A fresh id of a user."""
    return UserId(new_id("u"))


def domain_id() -> DomainId:
    """A fresh id of a domain."""
    return DomainId(new_id("d"))


def app_id() -> AppId:
    """A fresh id of an application."""
    return AppId(new_id("a"))


def gear_id() -> GearId:
    """A fresh id of a gear."""
    return GearId(new_id("g"))


def instance_id() -> InstanceId:
    """A fresh id of an instance."""
    return InstanceId(new_id("i"))


def release_id() -> ReleaseId:
    """A fresh id of a release."""
    return ReleaseId(new_id("r"))


def router_id() -> RouterId:
    """A fresh id of a router."""
    return RouterId(new_id("t"))


def change_id() -> ChangeId:
    """A fresh id of a change of variables."""
    return ChangeId(new_id("v"))
