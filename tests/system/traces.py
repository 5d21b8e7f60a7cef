"""What an installation has on the machine beside its files and processes."""

import hashlib
import os
import subprocess
from pathlib import Path


def traces(data: Path) -> list[str]:
    """Interfaces, namespaces, control groups, mounts, loop devices and rules of a data folder."""
    id = hashlib.sha256(os.fsencode(data)).hexdigest()[:6]
    links = [path.name for path in Path("/sys/class/net").glob(f"wl{id}*")]
    spaces = [path.name for path in Path("/run/netns").glob(f"wl{id}*")]
    groups = [str(path) for path in Path("/sys/fs/cgroup").rglob(f"windlass-{id}/*/")]
    mounts = [
        line.split()[4] for line in lines("cat", "/proc/self/mountinfo") if f"{data}/" in line
    ]
    loops = [line for line in lines("losetup", "-a") if f"{data}/" in line]
    tables = [line for line in lines("nft", "list", "tables") if id in line]
    return [*links, *spaces, *groups, *mounts, *loops, *tables]


def lines(*argv: str) -> list[str]:
    """What a program says."""
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()
