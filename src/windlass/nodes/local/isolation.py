"""What gears of this machine have of their own, in words for whoever must decide to trust them."""

from windlass.model.isolation import Aspect, Kept
from windlass.nodes.local.ground import Ground

OWN, MEASURED, SHARED = Kept.OWN, Kept.MEASURED, Kept.SHARED


def aspects(ground: Ground) -> tuple[Aspect, ...]:
    """Every part of the machine that gears could quarrel about."""
    return (
        files(ground),
        users(ground),
        network(ground),
        *limits(ground),
        disk(ground),
    )


def files(ground: Ground) -> Aspect:
    """What a gear sees of the file system."""
    if ground.setting.sandbox:
        return Aspect("files", OWN, "sees its own and, read-only, the system's; no other process")
    return Aspect("files", SHARED, "no sandbox: sees whatever its user may read, and all processes")


def users(ground: Ground) -> Aspect:
    """Who a gear's processes are."""
    if ground.as_root:
        return Aspect("user", OWN, "runs as a user of its own")
    return Aspect("user", SHARED, "runs as you; only the sandbox is between it and your files")


def network(ground: Ground) -> Aspect:
    """What a gear can connect to."""
    if ground.apart("network"):
        note = "reaches the world, but no other gear and nothing on this machine"
        return Aspect("network", OWN, note)
    note = "reaches other gears, and whatever listens on this machine, its loopback included"
    return Aspect("network", SHARED, note)


def limits(ground: Ground) -> tuple[Aspect, ...]:
    """What a gear can use up."""
    if ground.apart("limits"):
        return (
            Aspect("memory", OWN, "has the memory of its size, and is killed beyond"),
            Aspect("processes", OWN, "has the processes of its size, and no more"),
            Aspect("cpu", OWN, "has a share of its size, and the broker's comes first"),
        )
    alone = ground.setting.sandbox and not ground.as_root
    counted = "is counted for itself" if alone else "is counted by its user"
    return (
        Aspect("memory", SHARED, "is limited for each process, not for all of them together"),
        Aspect("processes", OWN if alone or ground.as_root else SHARED, counted),
        Aspect("cpu", SHARED, "takes what is free; the broker comes first"),
    )


def disk(ground: Ground) -> Aspect:
    """What a gear can fill."""
    if ground.apart("disk"):
        return Aspect("disk", OWN, "has a disk of its size, and fills no other")
    return Aspect("disk", MEASURED, "is measured now and then, and stopped beyond its size")
