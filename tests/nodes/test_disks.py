"""What lies on a disk is weighed, whatever a gear makes of it."""

import os
import subprocess
from pathlib import Path

from windlass.nodes.local.disks import taken


def test_a_tree_is_weighed_however_deep_it_is(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):  # deeper than Python calls go, within what a path may be
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    weight = taken(str(tmp_path))
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)  # pytest itself cannot
    assert weight >= 1500 * 512


def test_links_are_not_followed_and_what_is_not_there_weighs_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/usr")
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    assert 100_000 <= taken(str(tmp_path)) < 200_000
    assert taken(str(tmp_path / "gone")) == 0


def test_a_closed_folder_is_opened(tmp_path: Path) -> None:
    (closed := tmp_path / "closed").mkdir()
    (closed / "file").write_bytes(b"x" * 100_000)
    closed.chmod(0)
    assert taken(str(tmp_path)) >= 100_000
    assert closed.stat().st_mode & 0o700 == 0o700
