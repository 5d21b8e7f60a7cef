"""What gears have left behind that are not there any more: found, and taken away."""

from windlass.nodes.local import disks
from windlass.nodes.local.ground import Ground
from windlass.nodes.local.homes import slot_of
from windlass.nodes.local.layout import Home


def sweep(ground: Ground) -> list[str]:
    """Take away networks and groups of gears that have no home; what was taken.

    Also has the network's rules, if somebody has flushed them. A gear has its home before all
    else, and loses it last: what is looked at first and has no home later belongs to nobody.
    """
    gone = []
    groups = ground.cgroups.gears() if ground.cgroups else set()
    if ground.network is not None:
        ground.network.ensure()
        gone += ground.network.sweep(lambda: slots(ground))
    if ground.cgroups is not None:
        for gear in sorted(groups - {home.folder.name for home in homes(ground)}):
            ground.cgroups.remove(gear)
            gone.append(f"control group of {gear}")
    return gone


def homes(ground: Ground) -> list[Home]:
    """The homes that are there now, also half-made ones."""
    return [Home(folder) for folder in sorted(ground.layout.gears.iterdir())]


def slots(ground: Ground) -> set[int]:
    """The slots of these homes."""
    return {slot for home in homes(ground) if (slot := slot_of(home)) is not None}


def strike(ground: Ground) -> list[str]:
    """Take away what all gears have beside their files, while none runs; what that was."""
    gone = []
    if ground.cgroups is not None:
        gone += ground.cgroups.strike()
    if ground.apart("disk") and ground.layout.gears.is_dir():
        for home in homes(ground):
            if disks.mounted(home):
                disks.remove(home)
                gone.append(f"mount of {home.folder.name}")
    if ground.network is not None:
        gone += ground.network.strike()
    return gone
