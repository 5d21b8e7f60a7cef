"""Health checks: what an application is asked, and how long it may take to answer at first."""

from dataclasses import dataclass

from windlass.errors import Refused
from windlass.model.applications import Application
from windlass.model.cartridges import Cartridge

LONGEST_PATH = 1024  # characters
LEAST_GRACE, MOST_GRACE = 1.0, 900.0  # seconds


@dataclass(frozen=True)
class Health:
    """A path that is asked, and the seconds from a start to the first answer."""

    path: str
    grace: float


def health_of(application: Application, cartridge: Cartridge) -> Health:
    """The application's own, and its cartridge's where it does not say."""
    path, grace = application.health_path, application.health_grace
    return Health(
        cartridge.health_path if path is None else path,
        cartridge.health_grace if grace is None else grace,
    )


def check_health_path(path: str) -> str:
    """The path, or Refused with what one may look like."""
    plain = path.isascii() and path.isprintable() and " " not in path
    if not path.startswith("/") or len(path) > LONGEST_PATH or not plain:
        what = f"a health path begins with / and has at most {LONGEST_PATH} characters"
        raise Refused(f"{what}, none of them a blank or other than ASCII", field="health_path")
    return path


def check_health_grace(grace: float) -> float:
    """The seconds, or Refused with how many there may be."""
    if not LEAST_GRACE <= grace <= MOST_GRACE:
        what = f"a health grace is {LEAST_GRACE:g} to {MOST_GRACE:g} seconds"
        raise Refused(what, field="health_grace")
    return grace
