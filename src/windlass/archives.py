"""Source archives from strangers: judged as a whole, then unpacked into a folder."""

import bz2
import errno
import gzip
import io
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from windlass.errors import Refused, TooLarge, Transient

MEMBERS = 50_000
UNPACKED = 1 << 30  # bytes, all files together
ONE_READ = 1 << 20  # bytes; tarfile reads a member's extended header in one go, into memory
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
OURS = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # not the archive's fault
BROKEN = (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)


def check(path: Path) -> None:
    """Look at every member of the archive; Refused with the first that cannot be accepted."""
    links: set[PurePosixPath] = set()
    files: set[PurePosixPath] = set()
    parents: set[PurePosixPath] = set()
    with opened(path) as archive:
        total = 0
        for count, member in enumerate(archive, 1):
            total += member.size
            if count > MEMBERS:
                raise TooLarge(f"the archive has more than {MEMBERS} members")
            if total > UNPACKED:
                raise TooLarge(f"the archive unpacks to more than {UNPACKED >> 20} MiB")
            name = judged(member, files)
            parents.update(name.parents)
            (links if member.issym() else files).add(name)
    for way in parents & links:
        raise Refused(f"the archive has members below {str(way)!r}, which is a link")


def unpack(path: Path, folder: Path, stopped: Callable[[], bool] = lambda: False) -> None:
    """Unpack the archive into an existing folder, after `check`; ends early when `stopped`.

    Only modes are kept of what the archive says besides names and contents, and of those only
    whether a file may be run.
    """
    check(path)
    with opened(path) as archive:
        for member in archive:
            if stopped():
                return
            place(archive, member, folder)


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The archive for one pass from its beginning to its end; Refused where it is broken."""
    try:
        with decompressed(path) as stream:
            forward = cast(IO[bytes], Forward(stream))
            with tarfile.open(fileobj=forward, mode="r:") as archive:
                yield archive
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise  # whoever knows whose disk it is says so
        if isinstance(error, OSError) and error.errno in OURS:
            raise Transient(f"the archive cannot be unpacked here: {error}") from None
        raise Refused(f"this is not a tar archive that can be read: {error}") from None


def decompressed(path: Path) -> IO[bytes]:
    """The file without its compression, which its first bytes tell."""
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path))
    if magic.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(path))
    if magic == b"\xfd7zXZ\x00":
        return cast(IO[bytes], lzma.open(path))
    return path.open("rb")


class Forward(io.RawIOBase):
    """A stream that is read in small pieces and never backwards.

    A header that lies about sizes would otherwise fill the memory or send tarfile in circles.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        if not 0 <= size <= ONE_READ:
            raise ValueError("a header is larger than any should be")
        return self.stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go forward to an offset."""
        if whence != io.SEEK_SET or offset < self.stream.tell():
            raise ValueError("a size is below zero")
        return self.stream.seek(offset)

    def tell(self) -> int:
        """Where we are."""
        return self.stream.tell()


def judged(member: tarfile.TarInfo, files: set[PurePosixPath]) -> PurePosixPath:
    """The member's name inside the folder, or Refused with what is wrong with it."""
    name = inside(member.name)
    if member.issym():
        target = PurePosixPath(member.linkname)
        ups = [part == ".." for part in target.parts]
        # ".." after a name could climb out by way of another link, so it may only lead.
        climbs = sum(ups) > len(name.parts) - 1 or ups != sorted(ups, reverse=True)
        if target.is_absolute() or climbs or not member.linkname:
            raise Refused(f"the archive's link {member.name!r} points out of the archive")
    elif member.islnk():
        if inside(member.linkname) not in files:
            raise Refused(f"the archive's link {member.name!r} is to no file before it")
    elif not (member.isfile() or member.isdir()):
        raise Refused(f"the archive's member {member.name!r} is no file, folder or link")
    return name


def inside(text: str) -> PurePosixPath:
    """A name as a path that stays below the folder, or Refused."""
    name = PurePosixPath(text)
    if name.is_absolute() or ".." in name.parts or "\0" in text:
        raise Refused(f"the archive's member {text!r} points out of the archive")
    return name


def place(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one member, in place of an earlier one with the same name."""
    path = folder / inside(member.name)
    if member.isdir():
        return path.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if member.issym():
        return path.symlink_to(member.linkname)
    if member.islnk():
        return path.hardlink_to(folder / inside(member.linkname))
    source = archive.extractfile(member)
    assert source is not None
    with path.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 16)
    path.chmod(0o755 if member.mode & 0o111 else 0o644)
