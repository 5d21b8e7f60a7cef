"""Become a confined program: run as a script, with the path of a record or `-` for stdin.

    supervisord or driver -> this -> own mounts (root) -> gear's uid -> bubblewrap -> the program

Needs nothing but the standard library: it starts with every instance and every build.
"""

# ruff: noqa: PTH102, PTH112, PTH123, PTH208
# No pathlib: it would cost every start of an instance 10 ms.
import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
CLONE_NEWNS = 0x00020000


def main() -> None:
    """Read the record and become what it tells of."""
    os.umask(0o022)
    record = read(sys.argv[1])
    runs = None
    if record["runs"]:
        runs = os.open(record["runs"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(runs, b"start\n")
        os.set_inheritable(runs, True)
    env = {**variables(record["variables"]), **record["env"]}
    binds = record["binds"]
    if record["uid"] is not None:
        binds = within_reach(binds)
    for name, value in record["limits"].items():
        limit(getattr(resource, f"RLIMIT_{name}"), value)
    if record["uid"] is not None:
        os.setgroups([])
        os.setgid(record["uid"])
        os.setuid(record["uid"])
    if record["bwrap"] is None:
        # A program that goes into the background must not keep the gear's lock with it.
        os.closerange(3, 4096)
        os.chdir(record["directory"])
        os.execvpe(record["argv"][0], record["argv"], env)
    enter(record, binds, env, runs)


def read(where: str) -> Any:
    """The record; what came by stdin is gone from there for the program."""
    if where != "-":
        with open(where) as file:
            return json.load(file)
    record = json.load(sys.stdin)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    return record


def variables(folder: str | None) -> dict[str, str]:
    """The published variables; once more from the start if they are replaced meanwhile."""
    if folder is None:
        return {}
    for _ in range(100):
        try:
            here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                return {name: text(name, here) for name in os.listdir(here)}
            finally:
                os.close(here)
        except FileNotFoundError:
            if not os.path.lexists(folder):
                break
    return {}


def text(name: str, folder: int) -> str:
    """The value of one variable."""
    with open(os.open(name, os.O_RDONLY, dir_fd=folder), errors="surrogateescape") as file:
        return file.read()


def limit(which: int, value: int) -> None:
    """Limit a resource, as far as the limit that we have ourselves allows."""
    _, hard = resource.getrlimit(which)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (allowed, allowed))


def within_reach(binds: list[Any]) -> list[Any]:
    """Bring every source to where the gear's uid can reach it, in mounts of our own.

    The data folder may lie below one that only root may enter.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        return binds  # a root without that right; well where everybody can reach the data folder
    call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
    # Opened before the tmpfs comes, which may cover them.
    sources = [os.open(source, os.O_PATH) for source, _, _ in binds]
    hall = "/mnt" if os.path.isdir("/mnt") else "/var/tmp"
    call(libc.mount(b"tmpfs", hall.encode(), b"tmpfs", 0, b"mode=755"), "tmpfs")
    near = []
    for number, (fd, (source, target, writable)) in enumerate(zip(sources, binds, strict=True)):
        here = f"{hall}/{number}"
        if os.path.isdir(source_of(fd)):
            os.mkdir(here)
        else:
            os.close(os.open(here, os.O_CREAT | os.O_WRONLY))
        done = libc.mount(source_of(fd).encode(), here.encode(), None, MS_BIND | MS_REC, None)
        call(done, f"bind of {source}")
        os.close(fd)
        near.append((here, target, writable))
    return near


def source_of(fd: int) -> str:
    """An open file as a path."""
    return f"/proc/self/fd/{fd}"


def call(result: int, what: str) -> None:
    """Raise what the C library has complained about."""
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def enter(record: Any, binds: list[Any], env: dict[str, str], runs: int | None) -> None:
    """Become bubblewrap; its arguments go through memory, where no `ps` shows the variables."""
    args = [*record["bwrap"]]
    if runs is not None:
        args += ["--json-status-fd", str(runs)]
    for source, target, writable in binds:
        args += ["--bind" if writable else "--ro-bind", source, target]
    args += ["--remount-ro", "/", "--chdir", record["directory"], "--clearenv"]
    for name, value in env.items():
        args += ["--setenv", name, value]
    told = os.memfd_create("args", 0)
    os.write(told, b"".join(os.fsencode(one) + b"\0" for one in args))
    os.lseek(told, 0, os.SEEK_SET)
    # The supervisor signals the whole process group. bubblewrap itself must stay, or the
    # program would be killed with it instead of ending in its own time.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    program = ["/usr/bin/env", "--default-signal=TERM", *record["argv"]]
    os.execve(record["program"], ["bwrap", "--args", str(told), "--", *program], {})


if __name__ == "__main__":
    main()
