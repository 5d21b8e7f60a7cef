"""Users, their limits, and the tokens that they sign in with."""

import re
from dataclasses import dataclass

from windlass.errors import Refused
from windlass.model.ids import UserId

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
SHORTEST = 8  # characters of a password
LONGEST = 256  # or hashing it would be a way to keep us busy
FULL, READ = "full", "read"  # what a token lets its bearer do


@dataclass(frozen=True)
class User:
    """Somebody who may sign in."""

    id: UserId
    login: str
    admin: bool
    most_domains: int
    most_gears: int
    most_storage: int = 100  # GiB, of the disks of all gears


@dataclass(frozen=True)
class Token:
    """A token as it is listed: never with what it says."""

    id: str
    note: str
    scope: str
    created: float
    expires: float


def check_login(login: str) -> str:
    """The login, or Refused with what one may look like."""
    if not LOGIN.fullmatch(login):
        raise Refused(
            "a login is 1 to 64 letters, digits or . _ @ + -, and begins with a letter or digit",
            field="login",
        )
    return login


def check_password(password: str) -> str:
    """The password, or Refused if it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(f"a password has {SHORTEST} to {LONGEST} characters", field="password")
    return password
