"""What a local node stands on: its folders, threads, rights, and how gears are confined."""

import os
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from windlass.model.gears import Place
from windlass.model.ids import GearId, ReleaseId
from windlass.nodes.local.files import in_thread, read_json
from windlass.nodes.local.layout import Home, Layout
from windlass.nodes.local.sandbox import (
    INSIDE,
    SHARED,
    Bind,
    Launch,
    arguments,
    find_bwrap,
    limits,
    probe,
)
from windlass.nodes.setting import NodeSetting

HOST = "127.0.0.1"
FIRST_UID = 600_000  # beyond what systems give to people and containers' usual ranges


@dataclass
class Ground:
    """The node's standing things, handed to each of its parts."""

    setting: NodeSetting
    pool: Executor
    layout: Layout
    as_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    sandbox: tuple[str, tuple[str, ...]] | None = None  # bubblewrap and its arguments, once tried

    async def ready(self) -> None:
        """Refused with the fix if gears cannot be confined here."""
        if self.setting.sandbox and self.sandbox is None:
            self.sandbox = await in_thread(self.pool, self.tried)

    def tried(self) -> tuple[str, tuple[str, ...]]:
        """bubblewrap, tried as a gear would use it."""
        bwrap = find_bwrap()
        return bwrap, arguments(probe(bwrap, FIRST_UID if self.as_root else None))

    def home(self, gear: GearId) -> Home:
        """A gear's home, there or not."""
        return self.layout.home(gear)

    def place(self, home: Home) -> Place | None:
        """Where a gear is, if its home is whole."""
        record = read_json(home.place)
        return Place(HOST, record["uid"]) if record else None

    def uid(self, place: Place) -> int | None:
        """Who the gear's processes become; nobody else where we may not choose."""
        return place.uid if self.as_root else None


@dataclass(frozen=True)
class Gate:
    """The way into one gear: what its programs see, and what they find in their environment."""

    ground: Ground
    gear: GearId
    place: Place

    @property
    def home(self) -> Home:
        """The gear's home as the node sees it."""
        return self.ground.home(self.gear)

    @property
    def seen(self) -> str:
        """The gear's home as its programs see it."""
        return INSIDE if self.ground.setting.sandbox else str(self.home.folder)

    @property
    def shared(self) -> str:
        """What all gears share, as programs see it."""
        return SHARED if self.ground.setting.sandbox else str(self.ground.layout.shared)

    def cartridge(self, name: str, program: str) -> str:
        """A program of an installed cartridge, as the gear sees it."""
        return f"{self.seen}/cartridges/{name}/bin/{program}"

    def environment(self, release: ReleaseId | None = None) -> dict[str, str]:
        """What every program of the gear is told by the node itself."""
        env = {
            "HOME": f"{self.seen}/app-root",
            "HOST": self.place.address,
            "LANG": "C.UTF-8",
            "OPENSHIFT_DATA_DIR": f"{self.seen}/app-root/data/",
            "OPENSHIFT_GEAR_UUID": self.gear,
            "OPENSHIFT_HOMEDIR": f"{self.seen}/",
            "PATH": f"{self.shared}/bin:/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": "/tmp",
            "WINDLASS_SHARED": self.shared,
        }
        if release is not None:
            there = f"{self.seen}/app-deployments/{release}"
            env["OPENSHIFT_REPO_DIR"] = f"{there}/repo/"
            env["OPENSHIFT_DEPENDENCIES_DIR"] = f"{there}/dependencies/"
            env["WINDLASS_RELEASE"] = release
        return env

    def launch(
        self,
        argv: list[str],
        env: Mapping[str, str],
        *,
        binds: tuple[Bind, ...] = (),
        directory: str = "/",
        runs: Path | None = None,
        new_session: bool = True,
    ) -> Launch:
        """A program in the gear, with these binds besides what it always sees."""
        uid = self.ground.uid(self.place)
        confined = self.ground.sandbox if self.ground.setting.sandbox else None
        session = ("--new-session",) if new_session else ()
        return Launch(
            argv=tuple(argv),
            env=env,
            directory=directory,
            uid=uid,
            program=confined[0] if confined else None,
            bwrap=(*confined[1], *session) if confined else None,
            binds=(*self.always(), *binds) if confined else (),
            limits=limits(own_uid=uid is not None),
            variables=str(self.home.variables),
            runs=str(runs) if runs else None,
        )

    def always(self) -> tuple[Bind, ...]:
        """What every program of the gear sees besides the system."""
        home = self.home
        return (
            Bind(str(home.root), f"{INSIDE}/app-root", writable=True),
            Bind(str(home.cartridges), f"{INSIDE}/cartridges"),
            Bind(str(self.ground.layout.shared), SHARED),
            Bind(str(home.etc / "passwd"), "/etc/passwd"),
            Bind(str(home.etc / "group"), "/etc/group"),
        )
