import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

from windlass.cli.main import run

PROGRAM = "from windlass.cli.main import main; main()"


@dataclass
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def env(monkeypatch, tmp_path, peer):
    """The environment of somebody who is signed in by it, and has nothing saved."""
    for name in ("WINDLASS_CLUSTER", "WINDLASS_DOMAIN", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("WINDLASS_URL", peer.url)
    monkeypatch.setenv("WINDLASS_TOKEN", "secret")
    return monkeypatch


@pytest.fixture
def demo(peer):
    """The domain demo with the application hello."""
    peer.add_domain("demo")
    peer.add_application("demo", "hello")


@pytest.fixture
def windlass(env, capsys):
    """Run a command in this process, as from a pipe."""

    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ended(int(code), out, err)

    return call


@pytest.fixture
def spawn(env):
    """Start a command as a process of its own."""
    # Whoever runs in the background of a shell ignores Ctrl-C, and so would all that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def call(*arguments, **more):
        command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, **{**pipes, "text": True, "env": dict(os.environ), **more})

    yield call
    signal.signal(signal.SIGINT, before)
