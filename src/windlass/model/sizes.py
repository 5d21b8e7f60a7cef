"""Sizes of gears: what one may use of its machine."""

from dataclasses import dataclass

from windlass.errors import Refused

MIB, GIB = 1 << 20, 1 << 30


@dataclass(frozen=True)
class Size:
    """How much of a machine one gear may use, whatever its neighbours do."""

    name: str
    memory: int  # bytes
    disk: int  # bytes
    processes: int
    cores: float  # of processor time, at most
    weight: int  # of processor time among gears that all want it


# OpenShift's small gear: 512 MB, 250 processes, 1 GB of disk, a share of 128 and at most 2 cores.
SMALL = Size("small", 512 * MIB, 1 * GIB, processes=250, cores=2.0, weight=128)
MEDIUM = Size("medium", 1 * GIB, 2 * GIB, processes=500, cores=2.0, weight=256)
LARGE = Size("large", 2 * GIB, 4 * GIB, processes=1000, cores=4.0, weight=512)
SIZES = {size.name: size for size in (SMALL, MEDIUM, LARGE)}


def size_of(name: str) -> Size:
    """A size by name, or Refused with those there are."""
    if name not in SIZES:
        there = f"a gear is {', '.join(SIZES)}, not {name[:64]!r}"
        raise Refused(there, field="gear_size", code=134)
    return SIZES[name]
