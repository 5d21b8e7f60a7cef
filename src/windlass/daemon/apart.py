"""Whether gears can be kept apart on this machine, and what they have left behind on it."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from windlass.app import node_setting
from windlass.daemon.checks import Check
from windlass.daemon.standing import Standing
from windlass.daemon.supervision import supervisor_of
from windlass.errors import Refused, Transient
from windlass.model.isolation import Aspect, Kept
from windlass.nodes.local import disks, leftovers
from windlass.nodes.local.ground import Ground
from windlass.nodes.local.isolation import aspects
from windlass.nodes.local.layout import Home, Layout
from windlass.nodes.local.network import orphans, parse
from windlass.settings import Settings

TRIAL = 8 << 20  # bytes of the disk that is tried


def gears(settings: Settings) -> Check:
    """Make a network, a group and a disk, as a gear would have them, where they hurt nobody."""
    try:
        if settings.gear_network:
            parse(settings.gear_network)
        with elsewhere(settings) as ground:
            ground.settle()
            if ground.apart("disk"):
                disks.tried(Home(ground.layout.data), TRIAL)
            own = [one.name for one in aspects(ground) if one.kept is Kept.OWN]
    except (Refused, Transient) as error:
        return Check("gears", trouble=str(error))
    return Check("gears", f"each can have its own {', '.join(own)}")


def sharing(settings: Settings) -> tuple[Aspect, ...]:
    """What each gear has for itself, and what all share."""
    with ThreadPoolExecutor(1) as pool:
        return aspects(Ground(node_setting(settings), pool, Layout(settings.data)))


async def left_behind(settings: Settings) -> Check:
    """Take away what gears that are gone have left, also those of data folders that are gone."""
    with ThreadPoolExecutor(1) as pool:
        ground = Ground(node_setting(settings), pool, Layout(settings.data.absolute()))
        gone = [one for network in orphans() for one in network.strike()] if ground.as_root else []
        if ground.layout.gears.is_dir():
            standing = Standing.read(settings.data)
            alive = (standing and standing.runs) or await supervisor_of(settings).running()
            gone += (leftovers.sweep if alive else leftovers.strike)(ground)
    return Check("leftovers", f"taken away: {', '.join(gone)}" if gone else "none")


@contextmanager
def elsewhere(settings: Settings) -> Iterator[Ground]:
    """The same ground in a temporary folder; nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="windlass-") as folder, ThreadPoolExecutor(1) as pool:
        setting = replace(node_setting(settings), data=Path(folder), network="")
        ground = Ground(setting, pool, Layout(Path(folder)))
        try:
            yield ground
        finally:
            leftovers.strike(ground)
