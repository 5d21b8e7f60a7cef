"""Become a confined program, as a record tells: by its path, or `-` for stdin.

    supervisord's child, or a script -> the gear's control groups, network and mounts (root)
    -> the gear's uid -> bubblewrap -> the program

Needs nothing but the standard library: as a script it starts with every build.
"""

# ruff: noqa: PTH102, PTH112, PTH123
# Each of json, pathlib, signal and typing would cost every build 10 ms or more.
import ctypes
import os
import resource
import sys

MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
SIGTERM, SIG_IGN = 15, ctypes.c_void_p(1)
PR_SET_PDEATHSIG = 1
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
FIRST_TO_GO = 200  # of 1000: where memory is short, gears are killed before the broker
NICE = 5  # where gears have no share of processor time, the broker comes before them


class Record:
    """What we are to become: entries `name=value`, each ended by a NUL; a name may come often."""

    def __init__(self, told: bytes) -> None:
        self.told: dict[str, list[str]] = {}
        for entry in told.decode(errors="surrogateescape").split("\0")[:-1]:
            name, _, value = entry.partition("=")
            self.told.setdefault(name, []).append(value)

    def all(self, name: str) -> list[str]:
        """Every value of a name, in order."""
        return self.told.get(name, [])

    def one(self, name: str) -> "str | None":
        """The value of a name, if there is one."""
        return self.told[name][0] if name in self.told else None

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Values that are pairs themselves: `KEY=VALUE`."""
        return [(one.partition("=")[0], one.partition("=")[2]) for one in self.all(name)]


class Bind:
    """A file or folder that the program sees at `target`."""

    def __init__(self, source: str, target: str, how: str) -> None:
        self.source, self.target, self.how = source, target, how


def become(where: str, farewell: int = 0) -> None:
    """Read the record and become what it tells of.

    What is in no sandbox (which sees to that) gets the signal `farewell` when our parent ends.
    """
    os.umask(0o022)
    record = read(where)
    runs = note_start(record)
    env = {**variables(record.one("variables")), **dict(record.pairs("env"))}
    join(record)
    binds = list(map(Bind, record.all("source"), record.all("target"), record.all("how")))
    uid = record.one("uid")
    if uid is not None and binds:
        within_reach(binds, record.all("foreign"))
    for name, value in record.pairs("limit"):
        limit(getattr(resource, f"RLIMIT_{name}"), int(value))
    if uid is not None:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    argv, directory = record.all("argv"), record.all("directory")[0]
    if record.one("program") is None:
        # A program that goes into the background must not keep the gear's lock with it.
        os.closerange(3, 4096)
        libc().prctl(PR_SET_PDEATHSIG, farewell)  # after setuid, which would clear it
        os.chdir(directory)
        os.execvpe(argv[0], argv, env)
    enter(record, binds, env, runs)


def read(where: str) -> Record:
    """The record; what came by stdin is gone from there for the program."""
    if where != "-":
        with open(where, "rb") as file:
            return Record(file.read())
    record = Record(sys.stdin.buffer.read())
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    return record


def note_start(record: Record) -> "int | None":
    """Write down that a run begins; bubblewrap will write there how it ended."""
    path = record.one("runs")
    if path is None:
        return None
    runs = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(runs, f"start {killed(record.one('kills'))}\n".encode())
    os.set_inheritable(runs, True)
    return runs


def killed(kills: "str | None") -> int:
    """How many processes of the gear were killed for want of memory until now."""
    if kills is not None:
        with open(kills) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def join(record: Record) -> None:
    """Enter the gear's control groups and its network; whoever cannot must not run at all."""
    for door in record.all("group"):
        with open(door, "w") as file:
            file.write(str(os.getpid()))
    network = record.one("network")
    if network is not None:
        space = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
        call(libc().setns(space, CLONE_NEWNET), "the gear's network")
        os.close(space)
    if not record.all("group"):
        os.nice(NICE)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(FIRST_TO_GO))


def variables(path: "str | None") -> dict[str, str]:
    """The published variables."""
    if path is None or not os.path.exists(path):  # noqa: PTH110
        return {}
    return {name: values[0] for name, values in read(path).told.items()}


def limit(which: int, value: int) -> None:
    """Limit a resource, as far as the limit that we have ourselves allows."""
    _, hard = resource.getrlimit(which)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (allowed, allowed))


def libc() -> ctypes.CDLL:
    """The C library, for what Python has no name for."""
    return ctypes.CDLL(None, use_errno=True)


def within_reach(binds: list[Bind], foreign: list[str]) -> None:
    """Bring every source to where the gear's uid can reach it, in mounts of our own.

    The data folder may lie below one that only root may enter.
    """
    c = libc()
    if c.unshare(CLONE_NEWNS) != 0:
        return  # a root without that right; well where everybody can reach the data folder
    call(c.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
    # Opened before the tmpfs comes, which may cover them.
    sources = [os.open(bind.source, os.O_PATH) for bind in binds]
    # Not above the data folder, whose mounts we are to find again.
    halls = [one for one in ("/mnt", "/var/tmp", "/media") if os.path.isdir(one)]
    hall = next(one for one in halls if not any(path.startswith(one + "/") for path in foreign))
    call(c.mount(b"tmpfs", hall.encode(), b"tmpfs", 0, b"mode=755"), "tmpfs")
    for number, (fd, bind) in enumerate(zip(sources, binds, strict=True)):
        here, there = f"{hall}/{number}", f"/proc/self/fd/{fd}"
        if os.path.isdir(there):
            os.mkdir(here)
        else:
            os.close(os.open(here, os.O_CREAT | os.O_WRONLY))
        done = c.mount(there.encode(), here.encode(), None, MS_BIND | MS_REC, None)
        call(done, f"bind of {bind.source}")
        os.close(fd)
        bind.source = here
    let_go(c, foreign)


def let_go(c: ctypes.CDLL, folders: list[str]) -> None:
    """Other gears' disks and networks are not to live as long as we, when they are removed.

    Those of other installations on this machine, too.
    """
    with open("/proc/self/mountinfo", "rb") as file:
        targets = [unescaped(line.split()[4]) for line in file]
    inside = tuple(os.fsencode(one) + b"/" for one in folders)
    for target in targets:
        if (target + b"/").startswith(inside) or is_disk(target):
            c.umount2(target, MNT_DETACH)


def is_disk(target: bytes) -> bool:
    """Whether this is where a gear's disk is mounted: `gears/GEAR/disk` in some data folder."""
    return target.split(b"/")[-3::2] == [b"gears", b"disk"]


def unescaped(path: bytes) -> bytes:
    """A path as the kernel tells it: blanks and the like are octal there."""
    return path.decode("unicode_escape").encode("latin-1")


def fewer(processes: "str | None") -> list[str]:
    """Limit the processes from inside the user namespace, where nobody else's are counted."""
    return [] if processes is None else ["/usr/bin/prlimit", f"--nproc={processes}", "--"]


def call(result: int, what: str) -> None:
    """Raise what the C library has complained about."""
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def enter(record: Record, binds: list[Bind], env: dict[str, str], runs: "int | None") -> None:
    """Become bubblewrap; its arguments go through memory, where no `ps` shows the variables."""
    args = record.all("bwrap")
    if runs is not None:
        args += ["--json-status-fd", str(runs)]
    for bind in binds:
        args += [bind.how, bind.source, bind.target]
    for path, text in record.pairs("file"):
        args += ["--perms", "0644", "--ro-bind-data", str(held(text)), path]
    args += ["--remount-ro", "/", "--chdir", record.all("directory")[0], "--clearenv"]
    for name, value in env.items():
        args += ["--setenv", name, value]
    told = held("".join(f"{one}\0" for one in args))
    # The supervisor signals the whole process group. bubblewrap itself must stay, or the
    # program would be killed with it instead of ending in its own time.
    libc().signal(SIGTERM, SIG_IGN)
    first = ["/usr/bin/env", "--default-signal=TERM", *fewer(record.one("processes"))]
    argv = ["bwrap", "--args", str(told), "--", *first, *record.all("argv")]
    os.execve(record.all("program")[0], argv, {})


def held(text: str) -> int:
    """A file in memory with this text, open for the program that we become."""
    file = os.memfd_create("held", 0)
    os.write(file, os.fsencode(text))
    os.lseek(file, 0, os.SEEK_SET)
    return file


if __name__ == "__main__":
    become(sys.argv[1])
