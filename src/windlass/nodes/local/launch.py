"""Become a confined program: run as a script, with the path of a record or `-` for stdin.

    supervisord or driver -> this -> the gear's control groups, network and mounts (root)
    -> the gear's uid -> bubblewrap -> the program

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
MNT_DETACH = 2
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
FIRST_TO_GO = 200  # of 1000: where memory is short, gears are killed before the broker
NICE = 5  # where gears have no share of processor time, the broker comes before them


def main() -> None:
    """Read the record and become what it tells of."""
    os.umask(0o022)
    record = read(sys.argv[1])
    runs = None
    if record["runs"]:
        runs = os.open(record["runs"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(runs, f"start {killed(record['kills'])}\n".encode())
        os.set_inheritable(runs, True)
    env = {**variables(record["variables"]), **record["env"]}
    join(record)
    binds = record["binds"]
    if record["uid"] is not None and binds:
        binds = within_reach(binds, record["foreign"])
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


def killed(kills: str | None) -> int:
    """How many processes of the gear were killed for want of memory until now."""
    if kills is not None:
        with open(kills) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def join(record: Any) -> None:
    """Enter the gear's control groups and its network; whoever cannot must not run at all."""
    for door in record["groups"]:
        with open(door, "w") as file:
            file.write(str(os.getpid()))
    if record["network"] is not None:
        libc = ctypes.CDLL(None, use_errno=True)
        space = os.open(record["network"], os.O_RDONLY | os.O_CLOEXEC)
        call(libc.setns(space, CLONE_NEWNET), "the gear's network")
        os.close(space)
    if not record["groups"]:
        os.nice(NICE)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(FIRST_TO_GO))


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


def within_reach(binds: list[Any], foreign: list[str]) -> list[Any]:
    """Bring every source to where the gear's uid can reach it, in mounts of our own.

    The data folder may lie below one that only root may enter.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        return binds  # a root without that right; well where everybody can reach the data folder
    call(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
    # Opened before the tmpfs comes, which may cover them.
    sources = [os.open(source, os.O_PATH) for source, _, _ in binds]
    # Not above the data folder, whose mounts we are to find again.
    halls = [one for one in ("/mnt", "/var/tmp", "/media") if os.path.isdir(one)]
    hall = next(one for one in halls if not any(path.startswith(one + "/") for path in foreign))
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
    let_go(libc, foreign)
    return near


def let_go(libc: ctypes.CDLL, folders: list[str]) -> None:
    """Other gears' disks and networks are not to live as long as we, when they are removed."""
    with open("/proc/self/mountinfo", "rb") as file:
        targets = [unescaped(line.split()[4]) for line in file]
    inside = tuple(os.fsencode(one) + b"/" for one in folders)
    for target in targets:
        if (target + b"/").startswith(inside):
            libc.umount2(target, MNT_DETACH)


def unescaped(path: bytes) -> bytes:
    """A path as the kernel tells it: blanks and the like are octal there."""
    return path.decode("unicode_escape").encode("latin-1")


def fewer(processes: int | None) -> list[str]:
    """Limit the processes from inside the user namespace, where nobody else's are counted."""
    return [] if processes is None else ["/usr/bin/prlimit", f"--nproc={processes}", "--"]


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
    first = ["/usr/bin/env", "--default-signal=TERM", *fewer(record["processes"])]
    os.execve(record["program"], ["bwrap", "--args", str(told), "--", *first, *record["argv"]], {})


if __name__ == "__main__":
    main()
