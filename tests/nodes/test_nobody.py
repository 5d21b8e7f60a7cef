"""The local node as an ordinary user runs it: its gears share a uid and a network, and no more."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534
PYTHON = "/usr/bin/python3"  # ours may lie below a folder that nobody may enter
BUILD = (
    "#!/bin/sh\nmkdir $HOME/locked && touch $HOME/locked/x && chmod 000 $HOME/locked\n"
    "[ ! -f build.sh ] || exec sh build.sh\n"
)
CONTROL = (
    "#!/bin/sh\n[ ! -f start.sh ] || exec sh start.sh\n"
    '[ $WORD ] && exec python3 -m http.server --bind "$HOST" "$PORT"\n'
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")


def as_nobody(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(one for one in sys.path if one and not one.endswith(".zip"))
    return subprocess.run(
        [PYTHON, "-c", code, *args],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of nobody's, with a cartridge in it."""
    folder = Path(tempfile.mkdtemp(prefix="w"))
    (folder / "little" / "bin").mkdir(parents=True)
    (folder / "little" / "bin" / "build").write_text(BUILD)
    (folder / "little" / "bin" / "control").write_text(CONTROL)
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


def lived(scenario: str, folder: Path) -> object:
    """What a scenario of lives.py comes to."""
    if as_nobody("import nodes.lives").returncode != 0:
        pytest.skip(f"{PYTHON} of an ordinary user cannot import windlass here")
    done = as_nobody("import nodes.lives; nodes.lives.main()", scenario, str(folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_ordinary_user_can_run_gears(folder):
    assert lived("simple", folder) == [["r1"], []]


def test_a_gear_sees_and_signals_no_other(folder):
    assert lived("spy", folder)["read"] == []


def test_a_fork_bomb_has_the_processes_of_its_size(folder):
    assert lived("bomb", folder) is True


def test_an_endless_allocation_ends_at_its_size(folder):
    assert "MemoryError" in lived("hoard", folder)


def test_a_gear_that_has_filled_its_disk_is_found(folder):
    assert lived("fill", folder) == ["g1"]
