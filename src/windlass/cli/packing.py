"""A folder as a tar archive, the same bytes for the same files."""

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from pathspec import GitIgnoreSpec

Rules = tuple[tuple[Path, GitIgnoreSpec], ...]


class Packed(NamedTuple):
    """What went into an archive, and the links that did not, for they lead out of the folder."""

    files: int
    left_out: tuple[str, ...]


def pack(folder: Path, out: IO[bytes]) -> Packed:
    """Write the folder as tar.gz, without .git and what .gitignore names."""
    files, left_out = 0, []
    with (
        # Neither a name nor a time in gzip's header: they would make each archive another.
        gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _walk(folder, ()):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink() and _leads_out(path, folder):
                left_out.append(name)
            elif path.is_symlink() or path.is_dir():
                tar.addfile(_plain(tar.gettarinfo(path, name)))
            elif path.is_file():  # and not a socket or a pipe
                _add(tar, path, name)
                files += 1
    return Packed(files, tuple(left_out))


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    info = _plain(tar.gettarinfo(path, name))
    info.type, info.linkname = tarfile.REGTYPE, ""  # a second hard link is a file of its own
    with path.open("rb") as source:
        info.size = path.stat().st_size
        tar.addfile(info, source)


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    info.mtime = int(info.mtime)  # kept: web servers tell browsers by it what is new
    return info


def _walk(folder: Path, rules: Rules) -> Iterator[Path]:
    if (ignore := folder / ".gitignore").is_file():
        lines = ignore.read_text(errors="replace").splitlines()
        rules = (*rules, (folder, GitIgnoreSpec.from_lines(lines)))
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        whole_folder = path.is_dir() and not path.is_symlink()
        if path.name == ".git" or _ignored(path, whole_folder, rules):
            continue
        yield path
        if whole_folder:
            yield from _walk(path, rules)


def _ignored(path: Path, folder: bool, rules: Rules) -> bool:
    for base, spec in reversed(rules):  # the nearest .gitignore has the last word
        name = path.relative_to(base).as_posix() + ("/" if folder else "")
        include = spec.check_file(name).include
        if include is not None:
            return bool(include)
    return False


def _leads_out(link: Path, folder: Path) -> bool:
    try:
        inside = link.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself
        inside = False
    return not inside or link.readlink().is_absolute()
