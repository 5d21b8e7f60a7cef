"""Where everything lies: the data folder of a local node, and the home of a gear."""

import re
from dataclasses import dataclass
from pathlib import Path

from windlass.errors import Refused
from windlass.model.ids import GearId, InstanceId, ReleaseId

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def safe(name: str) -> str:
    """A name that may stand in a path; Refused for any other."""
    if not SAFE.fullmatch(name):
        raise Refused(f"{name!r} cannot be a name here: letters, digits, '-' and '_' only")
    return name


@dataclass(frozen=True)
class Home:
    """A gear's folder. All of it is the node's, but `app-root` and what builds make.

    A gear that could rename its own folders could send the node, which may be root, elsewhere.
    What a gear can fill is on `disk`: the node's own records have room also when that is full.
    """

    folder: Path

    @property
    def place(self) -> Path:
        """Written last: the home is whole."""
        return self.folder / "place.json"

    @property
    def slot(self) -> Path:
        """Made first: a link to the gear's number, which tells what else there may be of it."""
        return self.folder / "slot"

    @property
    def image(self) -> Path:
        """The gear's own disk, where it has one."""
        return self.folder / "disk.img"

    @property
    def disk(self) -> Path:
        """Where that is mounted; a folder like any other where gears share a disk."""
        return self.folder / "disk"

    @property
    def root(self) -> Path:
        """Where the gear writes: kept from release to release."""
        return self.disk / "app-root"

    @property
    def deployments(self) -> Path:
        """The releases."""
        return self.disk / "app-deployments"

    @property
    def current(self) -> Path:
        """A link to the active release."""
        return self.folder / "current"

    @property
    def cartridges(self) -> Path:
        """Copies of what was installed, so that an upgrade of windlass changes no gear."""
        return self.disk / "cartridges"

    @property
    def instances(self) -> Path:
        """A record of each instance that is to run."""
        return self.folder / "instances"

    @property
    def logs(self) -> Path:
        """What instances have written."""
        return self.folder / "logs"

    @property
    def variables(self) -> Path:
        """The gear's variables, one file for all: they change together."""
        return self.folder / ".env"

    def release(self, id: ReleaseId) -> Path:
        """A release, once it is whole."""
        return self.deployments / safe(id)

    def unfinished(self, id: ReleaseId) -> Path:
        """A release while it is built."""
        return self.deployments / f".{safe(id)}.new"

    def cartridge(self, name: str) -> Path:
        """An installed cartridge."""
        return self.cartridges / safe(name)

    def instance(self, id: InstanceId) -> Path:
        """The record of an instance."""
        return self.instances / f"{safe(id)}.json"

    def log(self, id: InstanceId) -> Path:
        """The log of an instance."""
        return self.logs / f"{safe(id)}.log"


@dataclass(frozen=True)
class Layout:
    """The data folder."""

    data: Path

    @property
    def gears(self) -> Path:
        """The homes."""
        return self.data / "gears"

    @property
    def fences(self) -> Path:
        """A lock and the highest lease of each gear; outlive the gears."""
        return self.data / "fences"

    @property
    def shared(self) -> Path:
        """What every gear may read: uv and the web servers."""
        return self.data / "shared"

    @property
    def supervisor(self) -> Path:
        """The supervisor's configuration, records and own log."""
        return self.data / "supervisor"

    @property
    def network(self) -> Path:
        """The gears' network, as it was chosen."""
        return self.data / "network.json"

    @property
    def resolvers(self) -> Path:
        """The /etc/resolv.conf of gears with a network of their own."""
        return self.data / "resolv.conf"

    @property
    def ports(self) -> Path:
        """Which port belongs to which instance."""
        return self.data / "ports.json"

    def home(self, gear: GearId) -> Home:
        """A gear's home, there or not."""
        return Home(self.gears / safe(gear))
