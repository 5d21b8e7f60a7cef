import io
import os
import tarfile
from pathlib import Path

import pytest

from windlass import archives
from windlass.archives import check, unpack
from windlass.errors import Refused, TooLarge


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info


def archive(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for one in members:
            if isinstance(one, tuple):
                info = member(one[0], size=len(one[1]))
                tar.addfile(info, io.BytesIO(one[1]))
            else:
                tar.addfile(one, io.BytesIO(b"\0" * one.size) if one.isfile() else None)
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_of_any_compression_unpacks_to_its_files(tmp_path, mode):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (source / "sub" / "run.sh").chmod(0o750)
    (source / "short").symlink_to("sub/run.sh")
    os.link(source / "sub" / "run.sh", source / "sub" / "same.sh")
    packed = tmp_path / "packed"
    with tarfile.open(packed, mode) as tar:
        tar.add(source, ".")
    (folder := tmp_path / "out").mkdir()
    unpack(packed, folder)
    assert (folder / "short").read_text() == "#!/bin/sh\n"
    assert (folder / "sub" / "run.sh").stat().st_mode & 0o7777 == 0o755
    assert (folder / "sub" / "same.sh").read_text() == "#!/bin/sh\n"


EVIL = {
    "absolute": [("/etc/evil", b"x")],
    "climbing": [("a/../../evil", b"x")],
    "link to an absolute path": [member("l", tarfile.SYMTYPE, linkname="/etc")],
    "link that climbs out": [member("a/l", tarfile.SYMTYPE, linkname="../../etc")],
    "link that climbs by way of another": [
        member("a/b/l", tarfile.SYMTYPE, linkname="../.."),
        member("out", tarfile.SYMTYPE, linkname="a/b/l/../../x"),
    ],
    "file below a link": [member("l", tarfile.SYMTYPE, linkname="a"), ("l/evil", b"x")],
    "hard link to outside": [member("l", tarfile.LNKTYPE, linkname="../secret")],
    "hard link to a link": [
        member("s", tarfile.SYMTYPE, linkname="a"),
        member("l", tarfile.LNKTYPE, linkname="s"),
    ],
    "device": [member("null", tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "pipe": [member("pipe", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("name", EVIL)
def test_an_evil_archive_is_refused_before_anything_is_written(tmp_path, name):
    (folder := tmp_path / "out").mkdir()
    packed = archive(tmp_path / "evil.tar", ("first", b"x"), *EVIL[name])
    with pytest.raises(Refused):
        unpack(packed, folder)
    assert list(folder.iterdir()) == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["evil.tar", "out"]


@pytest.mark.parametrize("text", [b"", b"no archive at all", b"\x1f\x8bbroken", b"BZhbroken"])
def test_what_is_no_archive_is_refused(tmp_path, text):
    (packed := tmp_path / "packed").write_bytes(text)
    with pytest.raises(Refused):
        check(packed)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_that_was_cut_off_is_refused(tmp_path, mode):
    packed = archive(tmp_path / "packed", ("a", os.urandom(100_000)), ("b", b"x"), mode=mode)
    packed.write_bytes(packed.read_bytes()[:50_000])
    with pytest.raises(Refused):
        check(packed)


def test_too_many_members_are_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBERS", 3)
    check(archive(tmp_path / "three", *((str(one), b"") for one in range(3))))
    with pytest.raises(TooLarge):
        check(archive(tmp_path / "four", *((str(one), b"") for one in range(4))))


def test_too_many_bytes_are_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "UNPACKED", 1000)
    with pytest.raises(TooLarge):
        check(archive(tmp_path / "large", ("a", b"x" * 600), ("b", b"x" * 600), mode="w:gz"))


def test_a_header_that_fills_the_memory_is_refused(tmp_path):
    header = member("evil", tarfile.XHDTYPE, size=4 << 20)
    packed = tmp_path / "evil"
    packed.write_bytes(header.tobuf() + b"\0" * (5 << 20))
    with pytest.raises(Refused):
        check(packed)


def test_unpacking_ends_when_it_is_told_to(tmp_path):
    (folder := tmp_path / "out").mkdir()
    packed = archive(tmp_path / "packed", ("a", b"x"), ("b", b"x"))
    unpack(packed, folder, stopped=lambda: (folder / "a").exists())
    assert [one.name for one in folder.iterdir()] == ["a"]
