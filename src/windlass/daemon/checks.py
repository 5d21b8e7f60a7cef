"""What this machine must have: each check looks at one thing and names the trouble and the fix."""

import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from windlass.daemon.standing import Standing, running
from windlass.errors import Refused
from windlass.folders import run_folder, too_long
from windlass.nodes.local.ground import FIRST_UID
from windlass.nodes.local.sandbox import find_bwrap, probe
from windlass.settings import Settings, address


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; without `trouble` all is well."""

    name: str
    said: str = ""
    trouble: str = ""
    fix: str = ""


def refuse_trouble(settings: Settings, routed: bool) -> None:
    """Raise Refused with the first trouble that keeps `up` from starting."""
    for check in before_up(settings, routed):
        refuse(check)


def refuse(check: Check) -> None:
    """Raise Refused if the check has found trouble."""
    if check.trouble:
        raise Refused("; ".join(filter(None, (check.trouble, check.fix))))


def before_up(settings: Settings, routed: bool) -> Iterator[Check]:
    """All that must be well before `up` touches anything; our own router may have its port."""
    yield data_writable(settings.data)
    yield not_running(settings.data)
    yield sockets_short(settings.data)
    if needs_sandbox(settings):
        yield sandbox()
    yield port_free(settings.listen, "listen")
    if not routed:
        yield port_free(settings.apps, "apps")


def needs_sandbox(settings: Settings) -> bool:
    """Whether gears will run on this machine, each in a sandbox."""
    return on_this_machine(settings) and not settings.insecure_no_sandbox


def on_this_machine(settings: Settings) -> bool:
    """Whether gears will run here, and not only be pretended."""
    return settings.node.startswith("local:")


def data_writable(data: Path) -> Check:
    """The data folder, or the nearest folder above it that is there."""
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    if not there.is_dir():
        return Check(
            "data folder", trouble=f"{there} is not a folder", fix="say another one with --data"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        return Check(
            "data folder",
            trouble=f"the data folder {data} is not writable for you",
            fix="say another one with --data",
        )
    return Check("data folder", f"{data} is writable")


def not_running(data: Path) -> Check:
    """Whether another `up` is at work on this data folder."""
    standing = Standing.read(data)
    if standing and standing.runs:
        sentence, fix = running(data).split("; ")
        return Check("broker", trouble=sentence, fix=fix)
    return Check("broker", "none runs on this data folder")


def sockets_short(data: Path) -> Check:
    """The paths of the sockets, against the kernel's limit."""
    folder = run_folder(data)
    if too_long(folder):
        return Check(
            "sockets",
            trouble=f"the path of the run folder {folder} is too long for a socket",
            fix="set XDG_RUNTIME_DIR to a folder with a shorter path",
        )
    return Check("sockets", f"in {folder}")


def port_free(where: str, flag: str) -> Check:
    """Whether we could listen there."""
    host, port = address(where, f"--{flag}")
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(name)
    except OSError as error:
        return Check(f"--{flag}", trouble=why_not(where, error), fix=port_fix(flag, error))
    return Check(f"--{flag}", f"{where} is free")


def why_not(where: str, error: OSError) -> str:
    """Why a port cannot be had, as a sentence."""
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program"
    return f"cannot listen on {where} ({error.strerror or error})"


def port_fix(flag: str, error: OSError) -> str:
    """What to do about a port that cannot be had."""
    if error.errno == errno.EACCES:
        return f"ports below 1024 are root's: say --{flag} HOST:PORT"
    return f"say another one with --{flag} HOST:PORT"


def sandbox() -> Check:
    """bubblewrap and user namespaces, tried as a gear will use them."""
    try:
        names = probe(find_bwrap(), FIRST_UID if os.geteuid() == 0 else None)
    except Refused as error:
        return Check("sandbox", trouble=str(error))
    return Check("sandbox", f"bubblewrap, with namespaces for {', '.join(names)}")


def program(name: str, why: str) -> Check:
    """Whether a program is installed."""
    where = shutil.which(name)
    if where:
        return Check(name, where)
    return Check(name, trouble=f"{name} is not installed", fix=f"{why}: install the package {name}")


def system_python() -> Check:
    """The system's own Python, which gears use since ours may lie below somebody's home."""
    here = Path("/usr/bin/python3")
    if here.exists():
        return Check("python3", f"{here}; windlass itself: {sys.executable}")
    return Check(
        "python3",
        trouble=f"there is no {here}",
        fix="Python applications need the system's own: install the package python3",
    )
