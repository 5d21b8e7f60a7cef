"""An installation of windlass to test against: its own data, home, ports and sign-in."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from system.machine import DEADLINE, free_ports, kill, names, processes, remove, wait_until

READY = "windlass is ready at"
PASSED = re.compile(
    r"(PIP_.*|UV_.*|.*_PROXY|.*_proxy|SSL_CERT_.*|.*_CA_BUNDLE|GIT_SSL_.*|LANG|LC_.*|TZ|CI)"
)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Answer:
    """What an application has answered."""

    status: int
    body: str


@dataclass
class Installation:
    """Starts with `start`, is gone after `destroy`; a context manager does both."""

    settings: dict[str, str] = field(default_factory=dict)
    command: Sequence[str] = (sys.executable, "-m", "windlass.daemon.main", "up")
    user: int | None = None
    data: Path | None = None
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="wl-", dir="/tmp")))
    process: subprocess.Popen[bytes] | None = None
    patience: float = DEADLINE

    def __post_init__(self) -> None:
        # Others may pass: an ordinary user's files lie below.
        self.folder.chmod(0o755)
        self.home = self.folder / "home"
        self.run = self.folder / "run"
        self.data = self.data or self.folder / "data"
        for folder in (self.home, self.run):
            folder.mkdir()
            self.own(folder, 0o700)
        if self.user is not None and not self.data.exists():
            self.data.mkdir(parents=True)
            self.own(self.data, 0o700)
        self.take_ports()
        self.pip_config = self.copy_pip_config()

    def own(self, path: Path, mode: int) -> None:
        """Give a file or folder to the installation's user."""
        path.chmod(mode)
        if self.user is not None:
            os.chown(path, self.user, self.user)

    def take_ports(self) -> None:
        """Choose free ports for the API and the applications."""
        self.port, self.apps_port = free_ports(2)

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The admin's password."""
        assert self.data
        return (self.data / "admin-password").read_text().strip()

    @property
    def token(self) -> str:
        """The token with which the CLI is signed in."""
        saved = json.loads((self.home / ".config/windlass/session.json").read_text())
        return str(
            next(one["token"] for one in saved["clusters"].values() if one["url"] == self.url)
        )

    @property
    def environ(self) -> dict[str, str]:
        """What a user of this installation has in the environment, and nothing of ours."""
        passed = {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}
        return {
            **passed,
            **({"PIP_CONFIG_FILE": str(self.pip_config)} if self.pip_config else {}),
            "PATH": SYSTEM_PATH,
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.run),
            "PYTHONUNBUFFERED": "1",
            "WINDLASS_DATA": str(self.data),
            "WINDLASS_LISTEN": f"127.0.0.1:{self.port}",
            "WINDLASS_APPS": f"127.0.0.1:{self.apps_port}",
            **self.settings,
        }

    def copy_pip_config(self) -> Path | None:
        """The operator's pip configuration in one file, which another user may read too."""
        merged, target = RawConfigParser(), self.folder / "pip.conf"
        named = os.environ.get("PIP_CONFIG_FILE")
        config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        usual = [Path.home() / ".pip/pip.conf", Path(config) / "pip/pip.conf"]
        if not merged.read([named] if named else usual):
            return None
        with target.open("w") as file:
            merged.write(file)
        target.chmod(0o644)
        return target

    # -- its life ----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    def start(self) -> None:
        """Start it and wait until it is ready; another program may snatch a port from us."""
        for _ in range(3):
            self.launch()
            self.wait_until(lambda: self.is_ready() or not self.lives())
            if self.is_ready():
                return
            if "in use" not in self.log():
                break
            self.take_ports()
        raise AssertionError(f"up ended instead of getting ready\n{self.story()}")

    def launch(self, *flags: str) -> None:
        """Start it and do not wait."""
        with self.log_file.open("wb") as log:
            self.process = self.popen([*self.command, *flags], log)

    def popen(self, argv: Sequence[str], out: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Run something as the installation's user."""
        drop: Mapping[str, object] = {}
        if self.user is not None:
            drop = {"user": self.user, "group": self.user, "extra_groups": []}
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            argv,
            env=self.environ,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **drop,
        )

    def stop(self) -> None:
        """End `up` as Ctrl-C does; applications go on."""
        assert self.process
        self.process.send_signal(signal.SIGINT)
        self.process.wait(DEADLINE)

    def kill(self) -> None:
        """End `up` as a crash does."""
        assert self.process
        self.process.kill()
        self.process.wait(DEADLINE)

    def down(self) -> str:
        """`windlassd down`; what it said."""
        return self.run_command(*self.tool("windlassd"), "down")

    def destroy(self) -> None:
        """Nothing of it is left, whatever state it was in."""
        try:
            if self.process is not None:
                down = self.popen([*self.tool("windlassd"), "down"], subprocess.DEVNULL)
                down.wait(DEADLINE)
        finally:
            for pid, _ in self.processes():
                kill(pid)
            if self.process is not None:
                self.process.wait(DEADLINE)
            remove(self.folder)

    # -- looking at it -----------------------------------------------------------------------

    @property
    def log_file(self) -> Path:
        """What `up` and its children write."""
        return self.folder / "up.log"

    def log(self) -> str:
        """What they have written so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def story(self) -> str:
        """All that helps to understand a failure."""
        assert self.data
        parts = [f"--- up, {'running' if self.lives() else 'ended'}\n{self.log()}"]
        for path in sorted(self.data.rglob("*.log")):
            parts.append(f"--- {path}\n{path.read_text(errors='replace')[-4000:]}")
        return "\n".join(parts)

    def lives(self) -> bool:
        """Whether `up` runs."""
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        """Whether `up` has said that all is ready."""
        return READY in self.log()

    def get(self, host: str, path: str = "/") -> Answer | None:
        """Ask the router for an application by its host name; None if nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.apps_port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(errors="replace"))
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def answers(self, host: str = "hello-demo.localhost") -> bool:
        """Whether an application answers well."""
        answer = self.get(host)
        return answer is not None and answer.status == 200

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Look until it has happened; a failure tells the story."""
        wait_until(happened, self.story, self.patience)

    def processes(self) -> set[tuple[int, int]]:
        """Its living processes, each a number and a start: those that name its folder in their
        command line or environment, and all that these have started."""
        seen = processes()
        ours = {pid for pid in seen if names(pid, str(self.folder))} - {os.getpid()}
        while more := {pid for pid, one in seen.items() if one.parent in ours} - ours:
            ours |= more
        return {(pid, seen[pid].begun) for pid in ours}

    # -- using it ----------------------------------------------------------------------------

    def cli(self, *words: str) -> str:
        """Run `windlass` as the installation's user; its output, if it went well."""
        return self.run_command(*self.tool("windlass"), *words)

    def tool(self, name: str) -> list[str]:
        """The command line of one of our two commands, of the same environment as `up`."""
        return [str(Path(sys.executable).with_name(name))]

    def run_command(self, *argv: str) -> str:
        """Run a command to its end; the output of one that fails is in the failure."""
        process = self.popen(argv, subprocess.PIPE)
        out, _ = process.communicate(timeout=DEADLINE)
        text = out.decode(errors="replace")
        assert process.returncode == 0, (
            f"{' '.join(argv)}: {process.returncode}\n{text}\n{self.story()}"
        )
        return text
