"""Queue servers for the suite: real ones, on free loopback ports, with their data in tmp."""

import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

PATIENCE = 60.0  # seconds for a server to come up on a machine that has much else to do


def quiet_port() -> int:
    """A free port that the system gives to no outgoing connection, also while its server is down.

    From the system's own range somebody's connection could take it meanwhile, and a client that
    knocks there could even be connected to itself.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, max(lowest, 12_000))
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Server:
    """A process that listens; `url` is the queue there."""

    scheme = ""
    password = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        secret = f":{self.password}@" if self.password else ""
        return f"{self.scheme}://{secret}127.0.0.1:{self.port}"

    def argv(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it answers, and it is ours that does."""
        raise NotImplementedError

    def start(self) -> None:
        """Run it, at its old port if it had one; a port that somebody took is left to them."""
        deadline = time.monotonic() + PATIENCE
        fresh = self.port == 0
        while True:
            if fresh:
                self.port = quiet_port()
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    self.argv(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            while self.process.poll() is None:
                if self.ready():
                    return
                assert time.monotonic() < deadline, self.told()
                time.sleep(0.01)
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.1)

    def told(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def asked(self, *lines: str) -> str:
        """All that it answers to these lines; nothing if nobody listens."""
        heard = b""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
                one.sendall("".join(f"{line}\r\n" for line in (*lines, "quit")).encode())
                while more := one.recv(4096):
                    heard += more
        except OSError:
            pass
        return heard.decode(errors="replace")

    def kill(self) -> None:
        """As a crash does it; gone when this returns."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGCONT)
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Let it hang: its system accepts connections, and it answers nothing."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)


class Beanstalkd(Server):
    """beanstalkd of Debian's package, on request with a log on disk."""

    scheme = "beanstalkd"

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        super().__init__(folder)
        self.durable = durable

    def argv(self) -> list[str]:
        log = ["-b", str(self.folder), "-f0"] if self.durable else []
        return ["beanstalkd", "-l", "127.0.0.1", "-p", str(self.port), *log]

    def ready(self) -> bool:
        return self.process is not None and f"\npid: {self.process.pid}\n" in self.asked("stats")


class Redis(Server):
    """redis-server of Debian's package; what it holds dies with it."""

    scheme = "redis"

    def __init__(self, folder: Path, password: str = "") -> None:
        super().__init__(folder)
        self.password = password

    def argv(self) -> list[str]:
        secret = ["--requirepass", self.password] if self.password else []
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return ["redis-server", *where, "--save", "", "--appendonly", "no", *secret]

    def ready(self) -> bool:
        login = [f"AUTH {self.password}"] if self.password else []
        told = self.asked(*login, "INFO server")
        return self.process is not None and f"process_id:{self.process.pid}\r\n" in told
