"""What a confined program may see, and the record that the launcher makes true."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from windlass.errors import Refused
from windlass.model.sizes import Size

LAUNCH = Path(__file__).with_name("launch.py")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# fmt: off
ETC = (
    "alternatives", "ca-certificates", "crypto-policies", "gai.conf", "host.conf", "hosts",
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "pki",
    "protocols", "resolv.conf", "services", "ssl",
)
# fmt: on
SINGLE = ("directory", "uid", "program", "variables", "runs", "processes", "kills", "network")
INSIDE = "/home/gear"  # where a gear finds its home, whatever the data folder is
SHARED = "/opt/windlass"
NEEDED = ("user", "pid")
WANTED = ("ipc", "uts", "cgroup")
MOST = {"NOFILE": 4096, "CORE": 0}  # no limit of address space: node, Go, JVM
ROOM = 2  # times a gear's memory that one process may ask for, where gears have no group
NO_NAMESPACES = (
    "gears need user namespaces, which this machine does not allow you. Debian: "
    "sysctl kernel.unprivileged_userns_clone=1. Ubuntu 24.04: an AppArmor profile for bwrap, or "
    "sysctl kernel.apparmor_restrict_unprivileged_userns=0. A container: more privileges. Or say "
    "--insecure-no-sandbox, for your own code only. bubblewrap says: "
)


@dataclass(frozen=True)
class Bind:
    """A file or folder that a program sees at `target`."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Launch:
    """What the launcher is to become. `bwrap` is None where there is no sandbox."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    directory: str = "/"
    uid: int | None = None
    program: str | None = None  # bubblewrap itself
    bwrap: tuple[str, ...] | None = None
    binds: tuple[Bind, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)  # what the program reads at these paths
    limits: Mapping[str, int] = field(default_factory=dict)
    variables: str | None = None  # the file with the gear's variables
    runs: str | None = None  # a file that gets a line with every start and every exit status
    processes: int | None = None  # at most, inside a user namespace, which has a count of its own
    groups: tuple[str, ...] = ()  # files that a process enters its control groups by
    kills: str | None = None  # the file that counts kills for want of memory
    network: str | None = None  # the namespace to enter; never run in another
    foreign: tuple[str, ...] = ()  # folders whose mounts are other gears' and are let go of

    def record(self) -> str:
        """As the launcher reads it: entries `name=value`, each ended by a NUL."""
        return "".join(f"{name}={value}\0" for name, value in self.entries())

    def entries(self) -> Iterator[tuple[str, object]]:
        """Everything that there is to tell."""
        for name, values in (
            ("argv", self.argv),
            ("bwrap", self.bwrap or ()),
            ("env", [f"{key}={value}" for key, value in sorted(self.env.items())]),
            ("file", [f"{path}={text}" for path, text in sorted(self.files.items())]),
            ("limit", [f"{key}={value}" for key, value in sorted(self.limits.items())]),
            ("group", self.groups),
            ("foreign", self.foreign),
        ):
            yield from ((name, value) for value in values)
        for bind in self.binds:
            yield from (("source", bind.source), ("target", bind.target))
            yield ("how", "--bind" if bind.writable else "--ro-bind")
        for name in SINGLE:
            if (value := getattr(self, name)) is not None:
                yield (name, value)


def launcher(record: str) -> list[str]:
    """The command that becomes what the record tells of."""
    return [sys.executable, "-I", "-S", str(LAUNCH), record]


def limits(size: Size, *, own_group: bool, own_uid: bool) -> dict[str, int]:
    """The resources that each process of a gear may use, beside what its control group says.

    Without a group memory is limited for each process, by what it may write to (mappings that are
    only reserved do not count), and processes are counted per uid, where each gear has its own.
    """
    most = {**MOST, "FSIZE": size.disk}
    if not own_group:
        most["DATA"] = ROOM * size.memory
    if not own_group and own_uid:
        most["NPROC"] = size.processes
    return most


def arguments(namespaces: tuple[str, ...]) -> tuple[str, ...]:
    """bubblewrap's arguments that are the same for every gear on this machine."""
    args = ["--die-with-parent"]
    for name in namespaces:
        args.append(f"--unshare-{name}")
    for path in SYSTEM:
        if Path(path).is_symlink():
            args += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).is_dir():
            args += ["--ro-bind", path, path]
    for name in ETC:
        if (path := f"/etc/{name}") and Path(path).exists():
            args += ["--ro-bind", path, path]
    return (*args, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", INSIDE)


def names(uid: int, gid: int) -> dict[str, str]:
    """The gear's user has a name, as many programs want it, and so has everybody else."""
    root = "root:x:0:0:root:/root:/usr/sbin/nologin\n"
    gear = f"gear:x:{uid}:{gid}:gear:{INSIDE}/app-root:/bin/sh\n"
    nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    groups = f"root:x:0:\ngear:x:{gid}:\nnogroup:x:65534:\n"
    return {"/etc/passwd": root + gear + nobody, "/etc/group": groups}


def find_bwrap() -> str:
    """Where bubblewrap is; Refused with the package to install."""
    path = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin:" + os.environ.get("PATH", ""))
    if path is None:
        raise Refused(
            "gears need bubblewrap, which is not here: apt install bubblewrap "
            "(or dnf install bubblewrap), or say --insecure-no-sandbox, for your own code only"
        )
    return path


def probe(bwrap: str, uid: int | None) -> tuple[str, ...]:
    """The namespaces that gears can have here; Refused with the fix if it is too few."""
    complaint = tried(bwrap, uid, NEEDED)
    if complaint is not None:
        raise Refused(NO_NAMESPACES + complaint)
    if tried(bwrap, uid, (*NEEDED, *WANTED)) is None:
        return (*NEEDED, *WANTED)
    return NEEDED + tuple(one for one in WANTED if tried(bwrap, uid, (*NEEDED, one)) is None)


def tried(bwrap: str, uid: int | None, namespaces: tuple[str, ...]) -> str | None:
    """What bubblewrap complains of with these namespaces, or None if it is content."""
    args = [bwrap, *arguments(namespaces), "--", "/usr/bin/env", "true"]
    groups: list[int] | None = [] if uid is not None else None
    done = subprocess.run(
        args,
        user=uid,
        group=uid,
        extra_groups=groups,
        cwd="/",
        env={},
        capture_output=True,
        text=True,
    )
    return None if done.returncode == 0 else done.stderr.strip() or f"exit {done.returncode}"


def own_paths(env: Mapping[str, str]) -> tuple[Bind, ...]:
    """Files that the operator's build variables point to: certificates, indexes, settings."""
    visible = (*SYSTEM, "/tmp", "/proc", "/dev", "/home/gear", *(f"/etc/{name}" for name in ETC))
    paths = {value for value in env.values() if value.startswith("/") and Path(value).exists()}
    hidden = [path for path in sorted(paths) if path != "/" and not below(path, visible)]
    return tuple(Bind(path, path) for path in hidden)


def below(path: str, folders: tuple[str, ...]) -> bool:
    """Whether the path is one of the folders or in one."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
