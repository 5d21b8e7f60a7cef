"""A gear's disk: an image of its own, so that a gear that fills it fills nobody else's.

The image is sparse: it takes of the machine's disk what the gear has written, and gives back what
the gear has deleted.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from windlass.archives import NO_ROOM
from windlass.errors import Refused, Transient
from windlass.model.sizes import MIB, Size
from windlass.nodes.local.launch import call, libc
from windlass.nodes.local.layout import Home
from windlass.nodes.local.tools import tool

OPTIONS = "loop,nosuid,nodev,noatime,discard"
BLOCK = 512  # bytes, in which the system tells what a file takes


def add(home: Home, size: int) -> None:
    """The gear's image, made if missing, mounted at its `disk`."""
    home.disk.mkdir(exist_ok=True)
    if not home.image.exists():
        fresh = home.image.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with fresh.open("wb") as file:
            file.truncate(size)
        # Lazy: what is to be zero is so in a new file, and takes neither time nor room.
        lazy = "lazy_itable_init=1,lazy_journal_init=1"
        # Room kept for growing beyond 8 GiB would be three quarters of all that is written.
        tool("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^resize_inode", "-E", lazy, str(fresh))
        with fresh.open("rb") as file:  # or after a loss of power a name without an image
            os.fsync(file.fileno())
        fresh.rename(home.image)
    if not mounted(home):
        mount(home)


def mount(home: Home) -> None:
    """Mount the image; whoever did so meanwhile has done it for us."""
    try:
        tool("mount", "-t", "ext4", "-o", OPTIONS, str(home.image), str(home.disk))
    except (Refused, Transient) as error:
        if not mounted(home):
            raise Refused(
                f"a gear's disk cannot be mounted ({error}); a container needs loop devices, or "
                "say --share disk"
            ) from None


def tried(home: Home, size: int) -> None:
    """Make a disk and take it away again; Refused where that is not possible here."""
    add(home, size)
    remove(home)


def mounted(home: Home) -> bool:
    """Whether the image is there where the gear looks for it."""
    return home.disk.is_mount()


def remove(home: Home) -> None:
    """Take the mount away, also from under those who still look at it; the image stays."""
    while mounted(home):
        try:
            tool("umount", str(home.disk))
        except Transient:  # busy; the loop device goes when the last one has looked away
            tool("umount", "--lazy", str(home.disk))


def sync(home: Home) -> None:
    """All that was written there is on the machine's disk: a loss of power does not take it."""
    folder = os.open(home.disk, os.O_RDONLY | os.O_DIRECTORY)
    try:
        call(libc().syncfs(folder), "syncfs")
    finally:
        os.close(folder)


def used(home: Home) -> int:
    """The bytes that the gear has written."""
    if mounted(home):
        told = os.statvfs(home.disk)
        return (told.f_blocks - told.f_bfree) * told.f_frsize
    return taken(str(home.disk))


def over(home: Home, size: Size) -> bool:
    """Whether the gear has filled more than its size, on a disk that it shares."""
    return used(home) > size.disk


@contextmanager
def room(home: Home, size: Size) -> Iterator[None]:
    """Where there is no room for what is done within: Refused, with what to do, or Transient."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        if not mounted(home):
            raise Transient(f"the disk of this machine is full: {error}") from None
        raise Refused(
            f"the gear's disk is full: a {size.name} gear has {size.disk // MIB} MiB; delete files "
            "in its data folder, or keep fewer or smaller releases"
        ) from None


def taken(path: str) -> int:
    """The bytes that a file or a tree takes; no link is followed, however deep it goes.

    A folder that its gear has closed to itself is opened: it must not grow unseen.
    """
    total, left = 0, [path]
    while left:
        with suppress(OSError):
            told = os.lstat(here := left.pop())
            total += told.st_blocks * BLOCK
            if stat.S_ISDIR(told.st_mode):
                if told.st_mode & stat.S_IRWXU != stat.S_IRWXU and told.st_uid == os.getuid():
                    os.chmod(here, told.st_mode | stat.S_IRWXU)  # noqa: PTH101
                left += [entry.path for entry in os.scandir(here)]
    return total
