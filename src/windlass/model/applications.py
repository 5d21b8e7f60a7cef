"""Domains and the applications in them: names, states, host names."""

import re
from dataclasses import dataclass
from enum import StrEnum

from windlass.errors import Refused
from windlass.model.ids import AppId, DomainId, ReleaseId, UserId

DOMAIN_NAME = re.compile(r"[a-z0-9]{1,16}")  # OpenShift's rule for namespaces
APP_NAME = re.compile(r"[a-z0-9]{1,32}")  # and for applications: together they are a DNS label


class AppState(StrEnum):
    """What an application is up to."""

    CREATING = "creating"
    DEPLOYING = "deploying"
    STARTED = "started"
    STOPPED = "stopped"
    CRASHED = "crashed"
    DELETING = "deleting"
    BROKEN = "broken"


UNDER_WAY = (AppState.CREATING, AppState.DEPLOYING, AppState.DELETING)  # a job is at it


@dataclass(frozen=True)
class Domain:
    """A namespace of applications, and whose it is."""

    id: DomainId
    name: str
    owner: UserId
    created: float


@dataclass(frozen=True)
class Application:
    """An application as the broker knows it.

    `maker` is the job that is still making it, `leaving` the one that takes it away.
    """

    id: AppId
    domain: DomainId
    domain_name: str
    owner: UserId
    name: str
    cartridge: str
    state: AppState
    maker: int | None
    leaving: int | None
    release: ReleaseId | None
    created: float
    size: str = "small"  # of each of its gears
    scales_from: int = 1  # gears, at least
    scales_to: int = -1  # gears, at most; -1: as many as the owner may have
    health_path: str | None = None  # its cartridge's unless it says
    health_grace: float | None = None  # seconds; its cartridge's unless it says

    @property
    def path(self) -> str:
        """What jobs on it lock."""
        return path_of(self.domain, self.id)


def path_of(domain: DomainId, application: AppId) -> str:
    """The path that jobs on an application lock."""
    return f"{domain}/{application}"


def host_of(name: str, domain: str, apps_domain: str) -> str:
    """The host name that an application answers at."""
    return f"{name}-{domain}.{apps_domain}"


def check_domain_name(name: str) -> str:
    """The name, or Refused with what one may look like."""
    if not DOMAIN_NAME.fullmatch(name):
        raise Refused("a domain's name is 1 to 16 small letters and digits", field="name", code=106)
    return name


def check_app_name(name: str) -> str:
    """The name, or Refused with what one may look like."""
    if not APP_NAME.fullmatch(name):
        raise Refused(
            "an application's name is 1 to 32 small letters and digits", field="name", code=105
        )
    return name
