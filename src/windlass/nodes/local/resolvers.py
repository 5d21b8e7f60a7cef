"""Who answers gears that ask for a name: this machine's resolvers, where a gear can reach them."""

import ipaddress
from collections.abc import Iterable
from pathlib import Path

from windlass.nodes.local.files import write

# systemd's own resolver listens on the loopback, which is another one inside a gear; those that it
# asks are told in the second file.
TOLD = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def keep_resolvers(path: Path) -> None:
    """Write the gears' resolv.conf, unless it says so already."""
    text = resolvers(one.read_text() for one in TOLD if one.exists())
    if not path.exists() or path.read_text() != text:
        write(path, text, 0o644)


def resolvers(files: Iterable[str]) -> str:
    """The first of these files that names a resolver a gear can reach, without those it cannot.

    Empty where there is none: no name can be resolved then, and numbers still can be reached.
    """
    for text in files:
        lines = text.splitlines()
        if any(is_reachable(line) for line in lines):
            kept = [one for one in lines if not one.startswith("nameserver") or is_reachable(one)]
            return "\n".join(kept) + "\n"
    return ""


def is_reachable(line: str) -> bool:
    """Whether a line names a resolver that is not on a loopback; gears speak IPv4."""
    word, _, rest = line.partition(" ")
    try:
        address = ipaddress.ip_address(rest.strip())
    except ValueError:
        return False
    return word == "nameserver" and address.version == 4 and not address.is_loopback
