"""What a gear can do to its neighbours and its host, tried from inside, as root runs gears."""

import asyncio
import errno
import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import until
from nodes.attacks import BURN, FILL, FORK_BOMB, HOARD, SPY
from nodes.conftest import Bench
from servers import Beanstalkd, Redis
from system.traces import traces
from windlass.errors import Refused
from windlass.model.gears import Instance, InstanceState
from windlass.model.ids import gear_id
from windlass.nodes.local.network import tables
from windlass.nodes.local.node import LocalNode
from windlass.nodes.local.tools import tool

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can keep gears apart")
PROMPT = 10.0  # seconds in which a neighbour answers, whatever happens beside it


@pytest.fixture
async def neighbour(node, cartridge, pack) -> AsyncIterator[Bench]:
    """Another gear on the same node, with a secret and a web server."""
    bench = Bench(node, cartridge, pack)
    bench.gear = replace(bench.gear, id=gear_id(), slot=6)
    await bench.make()
    await node.publish(bench.gear, {"SECRET": "tr3asure"}, bench.lease())
    yield bench


@pytest.fixture
def beanstalkd(tmp_path) -> Iterator[Beanstalkd]:
    server = Beanstalkd(tmp_path / "beanstalkd")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis(tmp_path) -> Iterator[Redis]:
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@asynccontextmanager
async def serving(bench: Bench) -> AsyncIterator[tuple[Instance, str]]:
    instance = await bench.run(await bench.build(index_html="neighbour"))
    address = (await bench.until(instance, InstanceState.UP)).address
    assert address is not None
    yield instance, address


def split(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    return host, int(port)


async def answer(address: str) -> str:
    async with asyncio.timeout(PROMPT):
        reader, writer = await asyncio.open_connection(*split(address))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        said = await reader.read()
        writer.close()
    return said.decode().partition("\r\n\r\n")[2]


async def spied(bench: Bench, **told: object) -> dict[str, list[object]]:
    """What a program in this gear has managed of what it was told to try."""
    targets = json.dumps({**{kind: [] for kind in TARGETS}, **told})
    release = await bench.build(spy_py=SPY, targets_json=targets, build_sh="exec python3 spy.py")
    log = bench.node.ground.home(bench.gear.id).release(release) / "build.log"
    won: dict[str, list[object]] = json.loads(log.read_text().splitlines()[-1])
    return won


TARGETS = ("paths", "marks", "pids", "addresses", "abstract", "places", "changes")
NOTHING: dict[str, list[object]] = {"read": [], "signalled": [], "reached": [], "taken": []}


async def test_it_reads_nothing_of_its_neighbours_and_its_host(bench, neighbour, setting):
    (setting.data / "windlass.db").write_text("the broker's")
    async with serving(neighbour) as (instance, _):
        home = neighbour.node.ground.home(neighbour.gear.id)
        assert home.variables.read_text() == "SECRET=tr3asure\0"
        paths = [
            home.variables,
            home.folder,
            home.root,
            home.log(instance.id),
            setting.data,
            setting.run,
        ]
        paths += [
            setting.data / "windlass.db",
            setting.data / "fences",
            setting.data / "supervisor",
        ]
        paths += [setting.run / "supervisor.sock", "/etc/shadow", "/root", "/run/netns", "/sys"]
        assert await spied(bench, paths=list(map(str, paths)), marks=["http.server"]) == NOTHING


async def test_it_signals_nobody_else(bench, neighbour):
    async with serving(neighbour) as (_, address):
        pids = [int(one.name) for one in Path("/proc").glob("[0-9]*")]
        assert await spied(bench, pids=pids) == NOTHING
        assert await answer(address) == "neighbour"


async def test_it_reaches_neither_neighbours_nor_anything_of_its_host(
    bench, neighbour, beanstalkd, redis, postgres, short
):
    gateway = bench.node.ground.network.gateway
    everywhere = socket.create_server(("0.0.0.0", 0))
    hidden = socket.socket(socket.AF_UNIX)
    hidden.bind(f"\0{short.name}")
    hidden.listen()
    hosts = ["127.0.0.1", gateway, *outward()]
    ports = [beanstalkd.port, redis.port, postgres.port, everywhere.getsockname()[1]]
    for port in ports:
        socket.create_connection(("127.0.0.1", port), 5).close()  # somebody is there
    async with serving(neighbour) as (_, address):
        addresses = [split(address), *((host, port) for host in hosts for port in ports)]
        assert await spied(bench, addresses=addresses, abstract=[short.name]) == NOTHING
        assert await answer(address) == "neighbour"
    everywhere.close()
    hidden.close()


def outward() -> list[str]:
    """This machine's own addresses, but for those of tests that come and go beside us.

    What is gone is asked for outside, where some networks answer for whatever there is.
    """
    told = subprocess.run(["ip", "-4", "-j", "addr"], capture_output=True, check=True).stdout
    links = [link for link in json.loads(told) if not link["ifname"].startswith(("wl", "wt"))]
    return [one["local"] for link in links for one in link["addr_info"]]


async def test_it_cannot_take_a_stopped_gears_place(bench, neighbour):
    async with serving(neighbour) as (_, address):
        await neighbour.node.serve(neighbour.gear, neighbour.cartridge, [], neighbour.lease())
        host, _ = place = split(address)
        changes = [
            f"ip addr add {host}/22 dev eth0",
            f"ip link add link eth0 name eth1 type macvlan && ip addr add {host}/22 dev eth1",
            "ip link set eth0 address 02:00:00:00:00:01",
        ]
        assert await spied(bench, places=[place], changes=changes) == NOTHING
        with pytest.raises(OSError):
            await answer(address)


async def test_where_gears_share_a_network_all_that_is_reached(setting, cartridge, pack, short):
    """Also shows that the spy finds what is to be found."""
    node = LocalNode("local:", replace(setting, data=short / "shared", share=("network",)))
    bench, other = Bench(node, cartridge, pack), Bench(node, cartridge, pack)
    other.gear = replace(other.gear, id=gear_id(), slot=6)
    try:
        await bench.make()
        await other.make()
        async with serving(other) as (_, address):
            won = await spied(bench, addresses=[split(address)])
            assert won["reached"] == [list(split(address))]
        kept = {one.name: one.kept for one in await node.isolation()}
        assert (kept["network"], kept["memory"], kept["disk"]) == ("shared", "own", "own")
    finally:
        await node.shutdown()
        await node.close()


async def test_it_keeps_no_disk_of_another_installation(bench, setting, cartridge, pack, short):
    data = short / "other"
    other = LocalNode("local:", replace(setting, data=data, run=short / "run"))
    try:
        await Bench(other, cartridge, pack).make()
        async with serving(bench) as (_, address):  # begun while the other's disk was mounted
            await other.shutdown()
            # One that begins at this moment may hold it a little longer.
            await until(lambda: traces(data) == [], 10)
            assert await answer(address) == "neighbour"
    finally:
        await other.close()


async def test_it_reaches_the_world(bench):
    """As far as this machine does: a listener beyond the bridge, in a namespace of our own."""
    with world() as address:
        await bench.node.sweep()  # as housekeeping does: a further uplink has come
        won = await spied(bench, addresses=[address])
        assert won["reached"] == [list(address)]
    await bench.node.sweep()
    told = tool("nft", "list", "table", "inet", bench.node.ground.network.table)
    assert world.wire not in told.partition("chain from_gears")[2]


class world:
    """A host that this machine reaches over a wire, and that has never heard of gears."""

    name = f"windlass-test-{os.getpid()}"
    wire = f"wt{os.getpid()}"
    here, there = "198.51.100.1", "198.51.100.2"

    def __enter__(self) -> tuple[str, int]:
        wire = self.wire
        for line in (
            f"ip netns add {self.name}",
            f"ip link add {wire} type veth peer name eth0 netns {self.name}",
            f"ip addr add {self.here}/24 dev {wire}",
            f"ip link set {wire} up",
            f"ip route add default via {self.there} dev {wire} metric 4000000",
            f"ip -n {self.name} addr add {self.there}/24 dev eth0",
            f"ip -n {self.name} link set eth0 up",
        ):
            subprocess.run(line.split(), check=True)
        self.server = subprocess.Popen(
            ["ip", "netns", "exec", self.name, "python3", "-m", "http.server", "80"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            with suppress(OSError):
                socket.create_connection((self.there, 80), 1).close()
                break
            time.sleep(0.05)
        return self.there, 80

    def __exit__(self, *_: object) -> None:
        self.server.kill()
        self.server.wait()
        # First the wire: with its namespace it would go a little later, and its route with it.
        subprocess.run(["ip", "link", "del", self.wire], check=True)
        subprocess.run(["ip", "netns", "del", self.name], check=True)


# -- what it can use up --------------------------------------------------------------------


async def test_a_fork_bomb_stays_in_its_gear(bench, neighbour):
    async with serving(neighbour) as (_, address):
        release = await bench.build(bomb_py=FORK_BOMB, start_sh="exec python3 bomb.py")
        await bench.run(release)
        groups = bench.node.ground.cgroups
        async with asyncio.timeout(60):
            while len(groups.members(bench.gear.id)) < bench.gear.size.processes:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await answer(address) == "neighbour"
        await bench.node.serve(bench.gear, bench.cartridge, [], bench.lease())
        assert groups.members(bench.gear.id) == set()


async def test_an_endless_allocation_ends_with_a_kill_that_is_told(bench, neighbour):
    async with serving(neighbour) as (_, address):
        release = await bench.build(hoard_py=HOARD, start_sh="exec python3 hoard.py")
        instance = await bench.run(release)
        report = await bench.until(instance, InstanceState.CRASHED, restarts=1)
        assert "killed for want of memory: a small gear has 512 MiB" in report.why
        seen = await bench.node.observe(bench.gear.id)
        assert seen.kills >= 1
        assert await answer(address) == "neighbour"


async def test_a_build_that_wants_too_much_memory_says_so(bench):
    with pytest.raises(Refused, match="want of memory: a small gear has 512 MiB"):
        await bench.build(hoard_py=HOARD, build_sh="python3 hoard.py")


async def test_a_full_disk_is_its_own(bench, neighbour):
    release = await bench.build(fill_py=FILL, build_sh="python3 fill.py")
    log = bench.node.ground.home(bench.gear.id).release(release) / "build.log"
    filled, error = json.loads(log.read_text())
    assert (900 < filled < 1024, error) == (True, errno.ENOSPC)
    seen = await bench.node.observe(bench.gear.id)
    assert seen.disk is not None and seen.disk > 900 << 20
    with pytest.raises(Refused, match="disk is full: a small gear has 1024 MiB"):
        await bench.build(index_html="x" * (1 << 20))
    # The node's own records have room, and so has the neighbour.
    await bench.node.publish(bench.gear, {"A": "b" * 10_000}, bench.lease())
    async with serving(neighbour) as (_, address):
        assert await answer(address) == "neighbour"


async def test_a_busy_loop_leaves_its_neighbours_answering(bench, neighbour):
    async with serving(neighbour) as (_, address):
        await bench.run(await bench.build(burn_py=BURN, start_sh="exec python3 burn.py"))
        groups = bench.node.ground.cgroups
        async with asyncio.timeout(60):
            while len(groups.members(bench.gear.id)) < 8:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await answer(address) == "neighbour"


# -- what is left --------------------------------------------------------------------------


async def test_a_removed_gear_leaves_nothing_while_its_neighbour_runs(bench, neighbour):
    async with serving(bench), serving(neighbour) as (_, address):
        await bench.node.remove(bench.gear.id, bench.lease())
        id, gone = bench.node.ground.id, str(bench.gear.id)
        left = [
            one
            for one in traces(bench.node.ground.layout.data)
            if gone in one or one.endswith((".5", "-5"))
        ]
        assert left == [], id
        assert await answer(address) == "neighbour"


async def test_shutdown_leaves_nothing_and_start_brings_it_back(bench, neighbour):
    async with serving(neighbour) as (instance, address):
        assert len(traces(bench.node.ground.layout.data)) > 8
        await bench.node.shutdown()
        await until(lambda: traces(bench.node.ground.layout.data) == [], 10)
        await bench.node.start()
        assert (await neighbour.until(instance, InstanceState.UP)).address == address
        assert await answer(address) == "neighbour"


async def test_what_a_crash_has_left_is_swept_and_what_lives_stays(bench, neighbour):
    async with serving(neighbour) as (_, address):
        ground = bench.node.ground
        ground.network.add(77)  # of a gear that is gone, as is the group
        ground.cgroups.add("gone", bench.gear.size)
        tool("nft", "delete", "table", "inet", ground.network.table)  # as a reload of nftables does
        gone = await bench.node.sweep()
        assert gone == [f"namespace wl{ground.id}-77", "control group of gone"]
        assert await bench.node.sweep() == []
        assert ground.network.table in tables()
        assert await answer(address) == "neighbour"
