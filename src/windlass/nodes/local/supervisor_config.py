"""supervisord's files and states."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from windlass.errors import Refused

SOCKET_PATH = 107  # bytes: the kernel's limit
CLOSED = 3  # files that supervisord closes one by one for a child: all others do so by themselves
STARTING, RUNNING, BACKOFF, STOPPING = 10, 20, 30, 40
EXITED, FATAL = 100, 200
RUNS = (STARTING, RUNNING, BACKOFF, STOPPING)  # also between two tries
NAMESPACE = "programs"  # of the calls that we have added to supervisord's own
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


@dataclass(frozen=True)
class Status:
    """What the supervisor says of a program."""

    state: int
    pid: int
    age: int  # seconds since its last start


@dataclass(frozen=True)
class Spot:
    """Where the supervisor's files are."""

    folder: Path
    socket: Path

    @property
    def lock(self) -> Path:
        """Held while the configuration changes."""
        return self.folder / "lock"

    @property
    def config(self) -> Path:
        """The daemon's own part."""
        return self.folder / "supervisord.conf"

    @property
    def programs(self) -> Path:
        """One file a program, and the record that its launcher reads."""
        return self.folder / "programs"

    def program(self, name: str) -> Path:
        """A program's part of the configuration."""
        return self.programs / f"{named(name)}.conf"

    def record(self, name: str) -> Path:
        """What the program's launcher is to become."""
        return self.programs / f"{named(name)}.json"

    def make(self) -> None:
        """The folders that this needs."""
        self.check()
        self.programs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.parent.mkdir(parents=True, exist_ok=True)

    def check(self) -> None:
        """Refused if the socket's path is longer than the kernel takes."""
        if len(os.fsencode(self.socket)) > SOCKET_PATH:
            raise Refused(
                f"the run folder's path is too long for sockets: {self.socket} has more than "
                f"{SOCKET_PATH} bytes; say a shorter one"
            )


def named(name: str) -> str:
    """A program's name, or Refused."""
    if not NAME.fullmatch(name):
        raise Refused(f"{name!r} cannot be the name of a program")
    return name


def daemon(spot: Spot) -> str:
    """The configuration of supervisord itself."""
    user = "user=root\n" if os.geteuid() == 0 else ""  # otherwise it warns
    return f"""[unix_http_server]
file={value(spot.socket)}
chmod=0700

[supervisord]
logfile={value(spot.folder / "supervisord.log")}
logfile_maxbytes=10MB
logfile_backups=1
pidfile={value(spot.folder / "supervisord.pid")}
childlogdir={value(spot.folder)}
umask=022
minfds={CLOSED}
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[rpcinterface:{NAMESPACE}]
supervisor.rpcinterface_factory=windlass.nodes.local.programs:Programs

[include]
files=programs/*.conf
"""


def program(name: str, command: str, log: Path, autorestart: bool, stop_seconds: int) -> str:
    """The configuration of one program.

    One that ends within `startsecs` is tried again ever more slowly, for months.
    """
    return f"""[program:{named(name)}]
command={value(command)}
directory=/
autorestart={str(autorestart).lower()}
startsecs=5
startretries=5000
stopasgroup=true
killasgroup=true
stopwaitsecs={stop_seconds}
redirect_stderr=true
stdout_logfile={value(log)}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
"""


def value(text: object) -> str:
    """A value as the file wants it, or Refused where the file cannot hold it."""
    if re.search(r"[\n\r]|\s[;#]", str(text)):
        raise Refused(f"supervisord cannot work with the path {str(text)!r}")
    return str(text).replace("%", "%%")
