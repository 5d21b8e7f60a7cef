"""The servers that everybody is measured on: PostgreSQL, Redis and beanstalkd, our own ones."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.processes import Failed, tail

START = 60.0  # seconds for a server to answer
USER = "postgres"  # PostgreSQL refuses to run as root


class Server:
    """A server on a free loopback port, in a folder of its own."""

    name = "server"

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.log = folder / f"{self.name}.log"
        self.port = free_port()
        self.popen: subprocess.Popen[bytes] | None = None

    def argv(self) -> list[str]:
        """How it is started."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.argv(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a ^C of ours is not meant for it
                **self.identity(),
            )
        deadline = time.monotonic() + START
        while not self.answers():
            if self.popen.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{self.name} does not start:\n{tail(self.log)}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, by its pid."""
        if self.popen is None:
            return
        self.popen.send_signal(self.ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(20)
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        self.popen = None

    ending = signal.SIGTERM

    def identity(self) -> dict[str, str]:
        """Who runs it."""
        return {}

    def answers(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0


class Postgres(Server):
    """Default settings, fsync on; run by another uid where we are root."""

    name = "postgresql"
    ending = signal.SIGINT  # fast shutdown

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bin = postgres_programs()
        self.root = os.geteuid() == 0
        self.user = USER if self.root else pwd.getpwuid(os.geteuid()).pw_name
        if self.root:
            folder.chmod(0o755)
            shutil.chown(self.folder, USER)

    def identity(self) -> dict[str, str]:
        """Not root."""
        return {"user": USER, "group": USER} if self.root else {}

    def argv(self) -> list[str]:
        """The server itself, in the foreground."""
        data = self.folder / "data"
        if not data.exists():
            made = [f"{self.bin}/initdb", "-D", str(data), "-U", self.user, "-A", "trust"]
            done = subprocess.run(
                [*made, "-E", "UTF8", "--locale=C.UTF-8"],
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                **self.identity(),
            )
            if done.returncode:
                raise Failed(f"initdb: {done.stdout}{done.stderr}")
        options = ["-c", "listen_addresses=127.0.0.1", "-k", str(self.folder)]
        return [f"{self.bin}/postgres", "-D", str(data), "-p", str(self.port), *options]

    def answers(self) -> bool:
        """Whether it is past its recovery."""
        asked = [f"{self.bin}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"


class Redis(Server):
    """An append-only file, synced every second."""

    name = "redis"

    def argv(self) -> list[str]:
        """Nothing changed but the file."""
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        lasting = ["--appendonly", "yes", "--appendfsync", "everysec"]
        return ["redis-server", *address, *lasting, "--dir", str(self.folder)]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"


class Beanstalkd(Server):
    """With a binlog, synced as it comes (every 50 ms)."""

    name = "beanstalkd"

    def argv(self) -> list[str]:
        """Nothing changed but the binlog."""
        folder = self.folder / "binlog"
        folder.mkdir(exist_ok=True)
        return ["beanstalkd", "-l", "127.0.0.1", "-p", str(self.port), "-b", str(folder)]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"beanstalkd://127.0.0.1:{self.port}"

    def empty(self) -> None:
        """Forget every nudge."""
        self.stop()
        shutil.rmtree(self.folder / "binlog")
        self.start()


def postgres_programs() -> Path:
    """The folder of the newest PostgreSQL's programs."""
    if found := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return found[-1].parent
    if there := shutil.which("initdb"):
        return Path(there).parent
    raise Failed("PostgreSQL is not installed")


def free_port() -> int:
    """A loopback port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
