"""What this machine must have: each check looks at one thing and names the trouble and the fix."""

import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from windlass.daemon.folders import run_folder, too_long
from windlass.daemon.standing import Standing, running
from windlass.errors import Refused
from windlass.settings import Settings, address

NOBODY = 65534
APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
CLONE = Path("/proc/sys/kernel/unprivileged_userns_clone")
NAMESPACES = Path("/proc/sys/user/max_user_namespaces")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; without `trouble` all is well."""

    name: str
    said: str = ""
    trouble: str = ""
    fix: str = ""


def refuse_trouble(settings: Settings) -> None:
    """Raise Refused with the first trouble that keeps `up` from starting."""
    for check in before_up(settings):
        refuse(check)


def refuse(check: Check) -> None:
    """Raise Refused if the check has found trouble."""
    if check.trouble:
        raise Refused(f"{check.trouble}; {check.fix}")


def before_up(settings: Settings) -> Iterator[Check]:
    """All that must be well before `up` touches anything."""
    yield data_writable(settings.data)
    yield not_running(settings.data)
    yield sockets_short(settings.data)
    if needs_sandbox(settings):
        yield sandbox()
    yield port_free(settings.listen, "listen")
    if not routed(settings):
        yield port_free(settings.apps, "apps")


def needs_sandbox(settings: Settings) -> bool:
    """Whether gears will run on this machine, each in a sandbox."""
    return settings.node.startswith("local:") and not settings.insecure_no_sandbox


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
    if standing and standing.up and standing.up.alive:
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


def routed(settings: Settings) -> bool:
    """Whether our own router, which outlives `up`, has the applications' port."""
    standing = Standing.read(settings.data)
    if standing is None or standing.settings.apps != settings.apps:
        return False
    router = standing.children.get("router")
    return router is not None and router.alive


def sandbox() -> Check:
    """bubblewrap and user namespaces, tried as a gear would use them."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Check(
            "sandbox",
            trouble="bubblewrap is not installed, and gears run in its sandbox",
            fix="install it (Debian, Ubuntu: apt-get install bubblewrap)",
        )
    tried = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(  # type: ignore[call-overload]
        [*tried, "true"], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, **drop
    )
    if done.returncode:
        words = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        return Check("sandbox", trouble=f"no sandbox can be made ({words})", fix=namespace_fix())
    return Check("sandbox", "bubblewrap with user namespaces works")


def namespace_fix() -> str:
    """What keeps user namespaces from being made here, as far as the kernel tells."""
    if switched(APPARMOR, "1"):
        return (
            "AppArmor forbids user namespaces: give bwrap a profile, or as root: "
            f"sysctl -w kernel.{APPARMOR.name}=0"
        )
    if switched(CLONE, "0"):
        return f"as root: sysctl -w kernel.{CLONE.name}=1"
    if switched(NAMESPACES, "0"):
        return f"as root: sysctl -w user.{NAMESPACES.name}=15000"
    return "allow user namespaces here (in a container: privileged, or seccomp=unconfined)"


def switched(switch: Path, value: str) -> bool:
    """Whether a kernel's switch is there and stands so."""
    return switch.exists() and switch.read_text().strip() == value


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
