"""What a local node stands on: its folders, threads, rights, and how gears are kept apart."""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from windlass.model.gears import Gear, Place
from windlass.model.ids import GearId, ReleaseId
from windlass.model.sizes import Size
from windlass.nodes.local.cgroups import Cgroups, trees
from windlass.nodes.local.files import in_thread, read_json
from windlass.nodes.local.layout import Home, Layout
from windlass.nodes.local.network import NAMESPACES, Network
from windlass.nodes.local.resolvers import keep_resolvers
from windlass.nodes.local.sandbox import (
    INSIDE,
    SHARED,
    Bind,
    Launch,
    arguments,
    find_bwrap,
    limits,
    names,
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
    expecting: Future[None] | None = None  # that a program begins, in a thread

    @property
    def id(self) -> str:
        """What tells this installation's networks and groups from another's."""
        return hashlib.sha256(os.fsencode(self.layout.data)).hexdigest()[:6]

    def apart(self, what: str) -> bool:
        """Whether each gear has its own: `network`, `limits` or `disk`. An ordinary user cannot."""
        return self.as_root and self.setting.sandbox and what not in self.setting.share

    @cached_property
    def network(self) -> Network | None:
        """The gears' network, where they do not share the machine's."""
        if not self.apart("network"):
            return None
        return Network(self.id, self.layout.network, self.setting.network)

    @cached_property
    def cgroups(self) -> Cgroups | None:
        """The gears' control groups; Refused where there should be some and cannot."""
        return Cgroups(trees(), f"windlass-{self.id}") if self.apart("limits") else None

    async def ready(self) -> None:
        """Refused with the fix if gears cannot be confined here."""
        if self.setting.sandbox and self.sandbox is None:
            self.sandbox = await in_thread(self.pool, self.tried)

    def tried(self) -> tuple[str, tuple[str, ...]]:
        """bubblewrap, tried as a gear would use it; and what all gears stand on."""
        bwrap = find_bwrap()
        namespaces = probe(bwrap, FIRST_UID if self.as_root else None)
        self.settle()
        return bwrap, arguments(namespaces)

    def settle(self) -> None:
        """Have the gears' network and the group of their groups."""
        if self.network is not None:
            self.network.ensure()
            keep_resolvers(self.layout.resolvers)
        if self.cgroups is not None:
            self.cgroups.prepare()

    def expect(self) -> None:
        """A gear's program may begin soon: who has begun to wait for the kernel does so for all."""
        if self.cgroups is not None and (self.expecting is None or self.expecting.done()):
            self.expecting = self.pool.submit(self.cgroups.expect)

    def home(self, gear: GearId) -> Home:
        """A gear's home, there or not."""
        return self.layout.home(gear)

    def place(self, home: Home) -> Place | None:
        """Where a gear is, if its home is whole."""
        record = read_json(home.place)
        return Place(record["address"], record["uid"]) if record else None

    def uid(self, place: Place) -> int | None:
        """Who the gear's processes become; nobody else where we may not choose."""
        return place.uid if self.as_root else None


@dataclass(frozen=True)
class Gate:
    """The way into one gear: what its programs see, and what they find in their environment."""

    ground: Ground
    whole: Gear
    place: Place

    @property
    def gear(self) -> GearId:
        """The gear's id."""
        return self.whole.id

    @property
    def size(self) -> Size:
        """What it may use."""
        return self.whole.size

    @property
    def home(self) -> Home:
        """The gear's home as the node sees it."""
        return self.ground.home(self.gear)

    @property
    def seen(self) -> str:
        """The gear's home as its programs see it."""
        return INSIDE if self.ground.setting.sandbox else str(self.home.disk)

    @property
    def cartridges(self) -> str:
        """The installed cartridges as programs see them."""
        return f"{INSIDE}/cartridges" if self.ground.setting.sandbox else str(self.home.cartridges)

    @property
    def shared(self) -> str:
        """What all gears share, as programs see it."""
        return SHARED if self.ground.setting.sandbox else str(self.ground.layout.shared)

    def cartridge(self, name: str, program: str) -> str:
        """A program of an installed cartridge, as the gear sees it."""
        return f"{self.cartridges}/{name}/bin/{program}"

    def environment(self, release: ReleaseId | None = None) -> dict[str, str]:
        """What every program of the gear is told by the node itself."""
        network = self.ground.network
        env = {
            "FORWARDED_ALLOW_IPS": HOST if network is None else network.gateway,  # the router
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
        ground, uid = self.ground, self.ground.uid(self.place)
        confined = ground.sandbox if ground.setting.sandbox else None
        session = ("--new-session",) if new_session else ()
        cgroups, network = ground.cgroups, ground.network
        return Launch(
            argv=tuple(argv),
            env=env,
            directory=directory,
            uid=uid,
            program=confined[0] if confined else None,
            bwrap=(*confined[1], *session) if confined else None,
            binds=(*self.always(), *binds) if confined else (),
            files=names(self.place.uid, os.getgid() if uid is None else uid) if confined else {},
            limits=limits(self.size, own_group=cgroups is not None, own_uid=uid is not None),
            processes=None if ground.as_root or not confined else self.size.processes,
            groups=tuple(cgroups.doors(self.gear)) if cgroups else (),
            kills=str(cgroups.kills(self.gear)) if cgroups else None,
            network=str(network.namespace(self.slot)) if network else None,
            foreign=(str(ground.layout.gears), str(NAMESPACES)),
            variables=str(self.home.variables),
            runs=str(runs) if runs else None,
        )

    @property
    def slot(self) -> int:
        """The gear's number on this node."""
        return self.whole.slot

    def always(self) -> tuple[Bind, ...]:
        """What every program of the gear sees besides the system."""
        home, own = self.home, self.ground.network is not None
        resolvers = (Bind(str(self.ground.layout.resolvers), "/etc/resolv.conf"),) if own else ()
        return (
            Bind(str(home.root), f"{INSIDE}/app-root", writable=True),
            Bind(str(home.cartridges), f"{INSIDE}/cartridges"),
            Bind(str(self.ground.layout.shared), SHARED),
            *resolvers,
        )
