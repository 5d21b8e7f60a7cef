"""`git clone` and `script/up`: two commands from nothing to an application that answers."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from system.installation import Installation
from system.machine import processes

ROOT = Path(__file__).parents[2]
NOT_CLONED = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", ".hypothesis")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")


@dataclass
class Cloned(Installation):
    """Starts with `script/up` of a clone, which belongs to its user from then on."""

    patience: float = 600.0  # it installs everything, from whatever index there is
    clone: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.command = (str(self.clone / "script/up"),)
        owner = os.geteuid() if self.user is None else self.user
        for path in (self.clone, *self.clone.rglob("*")):
            os.chown(path, owner, -1, follow_symlinks=False)

    def tool(self, name: str) -> list[str]:
        return [str(self.clone / ".venv/bin" / name)]


def make_clone(target: Path) -> None:
    """Clone what is committed; where there is no repository, copy what is there."""
    if not (ROOT / ".git").exists():
        shutil.copytree(ROOT, target, ignore=NOT_CLONED)
        return
    trusting = target.with_name("gitconfig")
    trusting.write_text("[safe]\n\tdirectory = *\n")  # whoever owns what we are tested in
    done = subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(target)],
        env={**os.environ, "GIT_CONFIG_GLOBAL": str(trusting)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def clone() -> Iterator[Path]:
    """A clone, in which whoever comes first installs; the blank in its path is on purpose."""
    folder = Path(tempfile.mkdtemp(prefix="wlc", dir="/tmp"))
    folder.chmod(0o755)
    make_clone(folder / "a clone")
    yield folder / "a clone"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cloned(clone: Path) -> Iterator[Cloned]:
    """An installation of whoever runs the tests."""
    installation = Cloned(clone=clone)
    yield installation
    installation.destroy()


@needs_root
def test_as_an_ordinary_user(clone):
    with Cloned(user=pwd.getpwnam("nobody").pw_uid, clone=clone) as installation:
        the_story(installation)


def test_as_ourselves(cloned):
    cloned.start()
    the_story(cloned)


@needs_root
def test_with_data_below_a_folder_that_only_root_may_enter(cloned):
    cloned.data = cloned.folder / "private" / "data of mine"
    cloned.data.parent.mkdir(mode=0o700)
    cloned.start()
    cloned.wait_until(cloned.answers)
    assert_down_leaves_nothing(cloned)


def the_story(installation: Installation) -> None:
    """The first start, the second, and the end."""
    installation.wait_until(installation.answers)
    assert "hello" in installation.cli("app", "list")
    password, jobs = installation.password, installation.cli("job", "list")

    installation.stop()
    assert "applications keep running" in installation.log()
    assert installation.answers()

    installation.start()
    installation.wait_until(installation.answers)
    assert installation.password == password
    assert installation.cli("job", "list") == jobs

    assert_down_leaves_nothing(installation)


def assert_down_leaves_nothing(installation: Installation) -> None:
    """`windlassd down` ends every process that there was."""
    before = installation.processes()
    assert before
    said = installation.down()
    assert "Stopped the broker" in said
    assert "supervisor" in said
    assert installation.process is not None
    installation.process.wait(installation.patience)
    left = before & {(pid, one.begun) for pid, one in processes().items()}
    assert not left, installation.story()
    assert not installation.processes(), installation.story()
    assert installation.get("hello-demo.localhost") is None
