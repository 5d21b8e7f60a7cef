"""Programs of the system that make namespaces, rules and mounts: quick, and safe to call twice."""

import shutil
import subprocess

from windlass.errors import Refused, Transient

PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
PACKAGES = {
    "ip": "iproute2",
    "nft": "nftables",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "umount": "mount",
}
NOT_ALLOWED = ("operation not permitted", "permission denied", "read-only file system")


def tool(*argv: str, said: str = "") -> str:
    """Run a program, `said` on its stdin, and return what it says.

    Refused where it is missing or not allowed here; Transient where it fails otherwise.
    """
    done = subprocess.run(
        [path_of(argv[0]), *argv[1:]],
        input=said,
        cwd="/",
        env={"PATH": PATH, "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        why = (done.stderr or done.stdout).strip()[-1000:] or f"exit status {done.returncode}"
        kind = Refused if any(one in why.lower() for one in NOT_ALLOWED) else Transient
        raise kind(f"{argv[0]} has failed: {why}")
    return done.stdout


def path_of(program: str) -> str:
    """Where a program is; Refused with the package to install."""
    path = shutil.which(program, path=PATH)
    if path is None:
        raise Refused(f"{program} is not installed: apt install {PACKAGES[program]}")
    return path
