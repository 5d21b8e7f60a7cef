"""Environment variables that users give to an application."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from windlass.errors import OverLimit, Refused

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")  # OpenShift's rule
LONGEST = 32 << 10  # bytes of a value
MOST = 200  # of an application
ALL = 512 << 10  # bytes of all of them: what a process is started with has an end
RESERVED = ("FORWARDED_ALLOW_IPS", "HOME", "HOST", "LANG", "PATH", "PORT", "TMPDIR")
OURS = ("OPENSHIFT_", "WINDLASS_")
SECRET_TOKEN = "OPENSHIFT_SECRET_TOKEN"  # OpenShift let users set this one themselves

Change = Mapping[str, str | None]  # None takes a variable away


@dataclass(frozen=True)
class Variable:
    """A variable and what it says."""

    name: str
    value: str


def check_change(change: Change) -> Change:
    """The change, or Refused with the variable that cannot be."""
    if not change:
        raise Refused("no variable is named", field="environment_variables", code=186)
    if len(change) > MOST:
        raise OverLimit(f"an application has at most {MOST} variables", code=186)
    for name, value in change.items():
        check_name(name)
        if value is not None:
            check_value(name, value)
    return change


def check_name(name: str) -> None:
    """Refused for what is no name, and for what the platform sets itself."""
    if not NAME.fullmatch(name):
        raise Refused(
            f"a variable's name is 1 to 128 letters, digits and '_', not {name[:64]!r}",
            field="name",
            code=188,
        )
    ours = name in RESERVED or name.startswith(OURS)
    if ours and name != SECRET_TOKEN:
        raise Refused(f"{name} is set by the platform itself", field="name", code=188)


def check_value(name: str, value: str) -> None:
    """Refused for what an environment cannot hold; never with the value, which may be secret."""
    if "\0" in value:
        raise Refused(f"the value of {name} has a NUL in it", field="value", code=190)
    try:
        size = len(value.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        raise Refused(f"the value of {name} is no text", field="value", code=190) from None
    if size > LONGEST:
        most = LONGEST >> 10
        raise Refused(f"the value of {name} is longer than {most} KiB", field="value", code=190)


def changed(before: Mapping[str, str], change: Change) -> dict[str, str]:
    """The variables as they are after a change; OverLimit if they are more than may be."""
    after = {name: value for name, value in {**before, **change}.items() if value is not None}
    if len(after) > MOST:
        raise OverLimit(f"that would be {len(after)} variables, and {MOST} are allowed", code=186)
    size = sum(len(name) + len(value.encode()) for name, value in after.items())
    if size > ALL:
        so_much = f"that would be {-(-size >> 10)} KiB of variables, and {ALL >> 10} are allowed"
        raise OverLimit(so_much, code=186)
    return after
