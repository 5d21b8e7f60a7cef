"""A network for gears: a namespace each, on a bridge that leads outwards and nowhere else.

    gear's eth0 - veth, isolated - bridge - (rules, address translation) - the world
                                     |
                                   router

The router talks to a gear's own address, which no neighbour can take: a gear has no right to
change its namespace. Neither does a gear reach its neighbours, nor this machine.
"""

import fcntl
import ipaddress
import json
import os
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from windlass.errors import OverLimit, Refused
from windlass.nodes.local.files import read_json, write_json
from windlass.nodes.local.tools import tool

Subnet = ipaddress.IPv4Network

# RFC 2544 keeps these for tests between networks: no home, company or cloud has them.
POOL = ipaddress.IPv4Network("198.18.0.0/15")
BITS = 22  # of an installation's own part of the pool: a thousand gears
NAMESPACES = Path("/run/netns")  # where `ip netns` has them
INTERFACES = Path("/sys/class/net")
FORWARDING = "/proc/sys/net/ipv4/conf/{}/forwarding"
ALONE = Path("/run/windlass.network.lock")  # of all installations of this machine
OPENED = Path("/run/windlass.uplinks.json")  # what they have opened; until a reboot, as that is
SHIELD = "windlass_uplinks"  # the table of rules for these
GROUP = 4027  # of links: all bridges of all installations
BRIDGE = 0xFFFFFF  # as a number for its hardware address; no slot's
MARK = "windlass:"
METADATA = "169.254.0.0/16"  # where clouds tell a machine its secrets


@dataclass(frozen=True)
class Network:
    """The network of one installation's gears; every call may come twice, from any process."""

    id: str  # of the installation, six characters: an interface's name has at most 15
    record: Path  # what was chosen and changed, kept from start to start
    wanted: str = ""  # a subnet that the operator has chosen

    @property
    def bridge(self) -> str:
        """The bridge's name."""
        return f"wl{self.id}"

    @property
    def table(self) -> str:
        """The name of our table of rules."""
        return f"windlass_{self.id}"

    @property
    def alias(self) -> str:
        """What `ip link` tells of the bridge: whose it is."""
        return MARK + quote(str(self.record.parent))

    @property
    def subnet(self) -> Subnet:
        """Whose addresses gears have; Refused before it was chosen."""
        told = read_json(self.record)
        if told is None:
            raise Refused("the gears' network was never made here: run `windlassd up`")
        return Subnet(told["subnet"])

    @property
    def gateway(self) -> str:
        """This machine, as gears see it."""
        return str(self.subnet[1])

    def address(self, slot: int) -> str:
        """The address of the gear in a slot; OverLimit beyond the last."""
        subnet = self.subnet
        if slot + 2 >= subnet.num_addresses - 1:
            most = subnet.num_addresses - 3
            raise OverLimit(f"this node has room for {most} gears in its network {subnet}")
        return str(subnet[slot + 2])

    def hardware(self, number: int) -> str:
        """The hardware address of a slot, always the same: neighbours remember it for a minute.

        Whoever had the slot before is not there any more, and nobody would hear what is sent there.
        """
        digits = f"02{self.id[:4]}{number:06x}"  # 02: given by nobody but us
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))

    def namespace(self, slot: int) -> Path:
        """The namespace of the gear in a slot."""
        return NAMESPACES / f"{self.bridge}-{slot}"

    def veth(self, slot: int) -> str:
        """Our end of the wire to the gear in a slot."""
        return f"{self.bridge}.{slot}"

    # -- the whole -------------------------------------------------------------------------

    def ensure(self) -> None:
        """Have the bridge and its rules; rules that somebody has flushed come back."""
        with alone():
            told = read_json(self.record) or {}
            if not (INTERFACES / self.bridge).exists():
                told = {"subnet": str(self.choose(told.get("subnet")))}
                write_json(self.record, told)
                self.build(self.subnet)
            now = {**told, "uplinks": sorted(uplinks())}
            there = tables()
            if now != told or self.table not in there:
                tool("nft", "-f", "-", said=self.rules(self.subnet, now["uplinks"]))
                write_json(self.record, now)
            open_uplinks(now["uplinks"], there)

    def choose(self, before: str | None) -> Subnet:
        """The subnet that was chosen before, the operator's, or a free one; Refused if taken."""
        taken = others(self.bridge)
        if self.wanted or before:
            mine = parse(self.wanted or str(before))
            if other := next((one for one in taken if one.overlaps(mine)), None):
                raise Refused(
                    f"the gears' network {mine} overlaps {other}, which this machine has already; "
                    "say another one with --gear-network"
                )
            return mine
        parts = list(POOL.subnets(new_prefix=BITS))
        first = int(self.id, 16) % len(parts)
        for part in parts[first:] + parts[:first]:
            if not any(one.overlaps(part) for one in taken):
                return part
        raise Refused(f"no part of {POOL} is free on this machine; say --gear-network")

    def build(self, subnet: Subnet) -> None:
        """The bridge with our address, forwarding what comes from gears, without IPv6."""
        lines = [
            # Of its own, or it would have that of any gear, and another when that is gone.
            f"link add {self.bridge} address {self.hardware(BRIDGE)} type bridge",
            f"addr add {subnet[1]}/{subnet.prefixlen} dev {self.bridge}",
            f"link set {self.bridge} up group {GROUP} alias {self.alias}",
        ]
        tool("ip", "-batch", "-", said="\n".join(lines) + "\n")
        write_setting(FORWARDING.format(self.bridge), "1")
        without6 = Path(f"/proc/sys/net/ipv6/conf/{self.bridge}/disable_ipv6")
        if without6.exists():
            write_setting(str(without6), "1")

    def rules(self, subnet: Subnet, ways: Sequence[str]) -> str:
        """Our table, made anew: outwards by the uplinks is free, and answers; nothing else is.

        Not what another program translates into a connection to this machine's containers, either.
        """
        inner = f'"{self.bridge}"'
        outwards = f"oifname {names(ways)} accept" if ways else ""
        return f"""table inet {self.table}
delete table inet {self.table}
table inet {self.table} {{
    chain input {{
        type filter hook input priority filter - 5; policy accept;
        iifname {inner} ct state established,related accept
        iifname {inner} drop
    }}
    chain forward {{
        type filter hook forward priority filter - 5; policy accept;
        iifname {inner} jump from_gears
        oifname {inner} ct state established,related accept
        oifname {inner} drop
    }}
    chain from_gears {{
        oifname {inner} drop
        ip saddr != {subnet} drop
        ip daddr {METADATA} drop
        meta nfproto ipv6 drop
        ct status dnat drop
        tcp flags syn tcp option maxseg size set rt mtu
        {outwards}
        drop
    }}
    chain outwards {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {subnet} oifname != {inner} masquerade
    }}
}}
"""

    def strike(self) -> list[str]:
        """Take all of it away; what that was."""
        gone = self.sweep(set)  # no slot is used any more
        with alone():
            there = (INTERFACES / self.bridge).exists()
            if there:
                tool("ip", "link", "del", self.bridge)
                gone.append(f"bridge {self.bridge}")
            # Where there never was such a network there need not be the program either.
            if (there or self.record.exists()) and self.table in tables():
                tool("nft", "delete", "table", "inet", self.table)
                gone.append(f"rules {self.table}")
            if not bridges():
                close_uplinks()
        return gone

    # -- a gear's part ---------------------------------------------------------------------

    def slots(self) -> set[int]:
        """The slots that have a namespace or a wire."""
        prefix = f"{self.bridge}-"
        there = os.listdir(NAMESPACES) if NAMESPACES.is_dir() else []  # noqa: PTH208
        spaces = [one.removeprefix(prefix) for one in there if one.startswith(prefix)]
        wires = [path.name.rpartition(".")[2] for path in INTERFACES.glob(f"{self.bridge}.*")]
        return {int(one) for one in (*spaces, *wires) if one.isdecimal()}

    def sweep(self, used: Callable[[], Set[int]]) -> list[str]:
        """Take away what belongs to no slot that is used; which namespaces that were.

        Slots come back: who is looked for is asked for under the lock that a new one needs.
        """
        with alone():
            gone = sorted(self.slots() - used())
            for slot in gone:
                self.remove(slot)
        return [f"namespace {self.namespace(slot).name}" for slot in gone]

    def add(self, slot: int) -> None:
        """A namespace with the slot's address; one that is whole stays as it is."""
        if not self.whole(slot):
            with alone():
                self.make(slot)

    def make(self, slot: int) -> None:
        """Make the namespace, without what an earlier try has left of it."""
        self.remove(slot)
        name, veth, subnet = self.namespace(slot).name, self.veth(slot), self.subnet
        inside = [
            f"addr add {self.address(slot)}/{subnet.prefixlen} dev eth0",
            "link set lo up",
            "link set eth0 up",
            f"route add default via {subnet[1]}",
        ]
        outside = [
            f"netns add {name}",
            f"link add {veth} type veth peer name eth0 address {self.hardware(slot)} netns {name}",
            f"link set {veth} master {self.bridge}",
            f"link set {veth} type bridge_slave isolated on",
        ]
        tool("ip", "-batch", "-", said="\n".join(outside) + "\n")
        tool("ip", "-n", name, "-batch", "-", said="\n".join(inside) + "\n")
        # Last: what is up is whole.
        tool("ip", "link", "set", veth, "up")

    def whole(self, slot: int) -> bool:
        """Whether the slot's namespace is there, and its wire is up."""
        try:
            flags = int((INTERFACES / self.veth(slot) / "flags").read_text(), 16)
        except FileNotFoundError:
            return False
        return bool(flags & 1) and self.namespace(slot).exists()

    def remove(self, slot: int) -> None:
        """No namespace, no wire."""
        if (INTERFACES / self.veth(slot)).exists():
            tool("ip", "link", "del", self.veth(slot))
        if self.namespace(slot).exists():
            tool("ip", "netns", "del", self.namespace(slot).name)


def orphans() -> list[Network]:
    """The networks of installations whose data folder is not there any more."""
    found = []
    for path in INTERFACES.glob("wl*/ifalias"):
        mark, _, data = path.read_text().strip().partition(MARK)
        if not mark and data and not Path(unquote(data)).exists():
            record = Path(unquote(data)) / "network.json"
            found.append(Network(path.parent.name.removeprefix("wl"), record))
    return found


def bridges() -> list[str]:
    """The bridges of all installations on this machine."""
    aliases = INTERFACES.glob("wl*/ifalias")
    return [path.parent.name for path in aliases if path.read_text().startswith(MARK)]


def tables() -> set[str]:
    """The names of the tables of rules that this machine has."""
    return {line.split()[-1] for line in tool("nft", "list", "tables").splitlines()}


def open_uplinks(ways: Sequence[str], there: Set[str]) -> None:
    """Let the uplinks forward; those that did not before forward nothing but gears' traffic.

    The rule comes first, then the record, then the opening: whatever is open has both.
    """
    before = read_json(OPENED) or []
    opened = sorted({*before, *(one for one in ways if closed(one))})
    if opened != before or (opened and SHIELD not in there):
        tool("nft", "-f", "-", said=shield(opened))
        write_json(OPENED, opened)
    for name in opened:
        if closed(name):
            write_setting(FORWARDING.format(name), "1")


def shield(opened: Sequence[str]) -> str:
    """The table for uplinks that were opened: all installations share it."""
    return f"""table inet {SHIELD}
delete table inet {SHIELD}
table inet {SHIELD} {{
    chain forward {{
        type filter hook forward priority filter - 5; policy accept;
        iifname {names(opened)} meta oifgroup != {GROUP} drop
    }}
}}
"""


def close_uplinks() -> None:
    """Forwarding as it was before any installation."""
    opened = read_json(OPENED)
    if opened is None:
        return
    for name in opened:
        if Path(FORWARDING.format(name)).exists():
            write_setting(FORWARDING.format(name), "0")
    if SHIELD in tables():
        tool("nft", "delete", "table", "inet", SHIELD)
    OPENED.unlink()


@contextmanager
def alone() -> Iterator[None]:
    """Alone among all who change this machine's network for windlass."""
    with ALONE.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def uplinks() -> set[str]:
    """The interfaces that lead into the world: those of the default routes."""
    routes = json.loads(tool("ip", "-4", "-j", "route", "show", "default"))
    return {str(one["dev"]) for one in routes if "dev" in one}


def closed(interface: str) -> bool:
    """Whether what comes in by this interface is for this machine alone."""
    setting = Path(FORWARDING.format(interface))
    return setting.exists() and setting.read_text().strip() == "0"


def names(interfaces: Sequence[str]) -> str:
    """A set of interfaces, as rules have it."""
    return "{ " + ", ".join(f'"{one}"' for one in interfaces) + " }"


def parse(text: str) -> Subnet:
    """A subnet as an operator writes it, or Refused."""
    try:
        subnet = Subnet(text)
    except ValueError:
        raise Refused(f"--gear-network wants one as in {POOL[0]}/{BITS}, not {text!r}") from None
    if not 8 <= subnet.prefixlen <= 28:
        raise Refused(f"--gear-network {text}: from /8 to /28, that gears have room")
    return subnet


def others(bridge: str) -> list[Subnet]:
    """The networks that this machine has routes to, but for the default route."""
    routes = json.loads(tool("ip", "-4", "-j", "route", "show", "table", "all"))
    told = (one["dst"] for one in routes if one.get("dev") not in (bridge, "lo"))
    return [Subnet(dst, strict=False) for dst in told if dst[0].isdigit() and dst != "0.0.0.0/0"]


def write_setting(path: str, value: str) -> None:
    """Set one of the kernel's switches; Refused where that is not allowed."""
    try:
        Path(path).write_text(value)
    except OSError as error:
        raise Refused(
            f"cannot set {path} ({error.strerror}); a container needs that right"
        ) from None
