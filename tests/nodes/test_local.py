"""What only a node with real processes has to keep to."""

import asyncio
import os
import random
import signal
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from windlass.engine.tries import Tries
from windlass.errors import LeaseLost, Refused
from windlass.model.gears import InstanceState
from windlass.nodes.local import disks
from windlass.nodes.local.node import LocalNode
from windlass.nodes.setting import NodeSetting

DEADLINE = 60.0
ROOT = os.geteuid() == 0


def slumber() -> str:
    """A command that lasts, told from all others by its argument."""
    return f"sleep {random.randint(100_000, 999_999)}.5"


async def http(address: str, path: str = "/") -> str:
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.decode().partition("\r\n\r\n")[2]


async def test_a_run_folder_with_a_long_path_is_refused(tmp_path):
    node = LocalNode("local:", NodeSetting(tmp_path, Path("/tmp") / ("x" * 100)))
    with pytest.raises(Refused, match="107"):
        await node.start()
    await node.close()


async def test_gears_outlive_the_node_object_and_another_one_finds_them(bench, setting):
    instance = await bench.run(await bench.build(index_html="hello"))
    before = await bench.until(instance, InstanceState.UP)
    pid = await asyncio.to_thread(bench.node.supervisor.pid)
    other = LocalNode("local:", setting)
    await asyncio.gather(other.start(), other.start(), bench.node.start())
    assert await asyncio.to_thread(other.supervisor.pid) == pid
    report = await other.observe(bench.gear.id)
    assert report.instance(instance.id) == before
    assert report.memory is not None and report.memory > 0
    assert await http(before.address) == "hello"
    await other.close()


async def test_when_the_supervisor_dies_its_gears_die_and_come_again(bench):
    command = slumber()
    release = await bench.build(start_sh=f"{command} & exec python3 -m http.server $PORT\n")
    instance = await bench.run(release)
    await bench.until(instance, InstanceState.UP)
    await bench.wait_for(command.split()[1], there=True)
    os.kill(await asyncio.to_thread(bench.node.supervisor.pid), signal.SIGKILL)
    await bench.wait_for(command.split()[1], there=False)
    assert (await bench.seen(instance)).state == InstanceState.CRASHED
    await bench.node.start()
    await bench.until(instance, InstanceState.UP)


async def test_shutdown_leaves_no_process_and_forgets_nothing(bench):
    command = slumber()
    release = await bench.build(start_sh=f"{command} & exec python3 -m http.server $PORT\n")
    instance = await bench.run(release)
    await bench.until(instance, InstanceState.UP)
    await bench.node.shutdown()
    await bench.node.shutdown()
    assert bench.processes(command.split()[1]) == []
    assert bench.processes(str(bench.node.ground.layout.data)) == []
    assert not await bench.node.supervisor.running()
    await bench.node.start()
    await bench.until(instance, InstanceState.UP)


async def test_a_crash_tells_its_exit_status_and_its_last_words(bench):
    release = await bench.build(start_sh="echo 'no such table: cats' >&2; exit 3\n")
    instance = await bench.run(release)
    report = await bench.until(instance, InstanceState.CRASHED, restarts=1)
    assert "exit status 3" in report.why
    assert "no such table: cats" in report.why
    assert len(report.why) < 2200


async def test_an_instance_that_is_killed_comes_back(bench):
    command = slumber()
    release = await bench.build(start_sh=f"{command} & exec python3 -m http.server $PORT\n")
    instance = await bench.run(release)
    address = (await bench.until(instance, InstanceState.UP)).address
    marked = await bench.wait_for(command.split()[1], there=True)
    parents = {int(Path(f"/proc/{pid}/stat").read_text().split()[3]) for pid in marked}
    for pid in parents - {1}:  # the web server, which has started the sleep
        os.kill(pid, signal.SIGKILL)
    report = await bench.until(instance, InstanceState.UP, restarts=1)
    assert report.address == address


async def test_who_has_patience_sees_an_instance_come_up_at_the_first_look(bench):
    instance = await bench.run(await bench.build(start_sh="exec python3 -m http.server $PORT\n"))
    seen = await bench.node.observe(bench.gear.id, patience=30)
    assert seen.instance(instance.id).state is InstanceState.UP


async def test_an_answer_of_500_is_not_up(bench):
    server = (
        "import os\nfrom http.server import *\nclass Sick(BaseHTTPRequestHandler):\n"
        " def do_GET(self): self.send_error(503)\n"
        "HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Sick).serve_forever()\n"
    )
    release = await bench.build(sick_py=server, start_sh="exec python3 sick.py\n")
    instance = await bench.run(release)
    async with asyncio.timeout(60):
        # What it says of that comes by a pipe, a little later.
        while "GET / HTTP/1.1" not in ((report := await bench.seen(instance)).said or ""):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert report.state == InstanceState.STARTING
    assert report.why == "GET / is answered with 503"


async def test_an_instance_is_asked_at_its_own_path_also_while_it_runs(bench):
    instance = await bench.run(await bench.build(healthz="well"))
    before = await bench.until(instance, InstanceState.UP)
    for path in ("/healthz", None):
        other = replace(instance, health_path=path)
        await bench.node.serve(bench.gear, bench.cartridge, [other], bench.lease())
        log = bench.node.ground.home(bench.gear.id).log(instance.id)
        await bench.seen(instance)
        async with asyncio.timeout(30):
            while f"GET {path or '/'} " not in log.read_text().splitlines()[-1]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert await bench.seen(instance) == before


async def test_an_instance_that_does_not_hear_is_killed(bench, monkeypatch):
    monkeypatch.setattr("windlass.nodes.local.instances.STOP_SECONDS", 1)
    command = slumber()
    text = f"trap '' TERM; {command} & python3 -m http.server $PORT\n"
    instance = await bench.run(await bench.build(start_sh=text))
    await bench.until(instance, InstanceState.UP)
    await bench.node.serve(bench.gear, bench.cartridge, [], bench.lease())
    assert bench.processes(command.split()[1]) == []
    assert (await bench.node.observe(bench.gear.id)).instances == ()


async def test_programs_see_the_published_variables_and_nobody_else_does(bench):
    await bench.node.publish(bench.gear, {"SECRET": "tr3asure $x \n'\""}, bench.lease())
    text = (
        'printf %s "$SECRET" > $HOME/data/secret; exec python3 -m http.server -d $HOME/data $PORT'
    )
    instance = await bench.run(await bench.build(start_sh=text))
    address = (await bench.until(instance, InstanceState.UP)).address
    assert await http(address, "/secret") == "tr3asure $x \n'\""
    assert bench.processes("tr3asure") == [], "not on a command line"
    published = bench.node.ground.home(bench.gear.id).variables
    assert stat.S_IMODE(published.stat().st_mode) == 0o600


async def test_the_environment_says_where_everything_is(bench):
    text = 'printf "%s " "$OPENSHIFT_REPO_DIR" "$WINDLASS_RELEASE" "$OPENSHIFT_GEAR_UUID"; exit 1'
    with pytest.raises(Refused) as caught:
        await bench.build(build_sh=text)
    said = str(caught.value).split()
    release = said[-2]
    assert said[-3] == f"/home/gear/app-deployments/{release}/repo/"
    assert said[-1] == bench.gear.id


PROBES = {
    "the system is read-only": "! touch /usr/x && ! touch /etc/x && ! touch /x",
    "its home is no place to write": "! touch /home/gear/x && ! mkdir /home/gear/app-deployments/x",
    "its own data is": "touch $HOME/x $OPENSHIFT_DATA_DIR/x",
    "it has a temporary folder of its own": "[ -z $(ls -A /tmp) ] && touch /tmp/x",
    "it sees no other process": "[ $(ls /proc | grep -c '^[0-9]') -lt 8 ]",
    "it sees no other home": "[ $(ls /home) = gear ] && [ ! -e /root ] && [ ! -e /var/lib ]",
    "it has a name": "[ $(id -un) = gear ] && [ $(id -gn) = gear ] && [ $(id -u) != 0 ]",
    "it has that from nobody else": "[ $(wc -l </etc/passwd) = 3 ] && ! echo x >>/etc/passwd",
    "it has none of our environment": "[ -z ${WINDLASS_TEST_SECRET:-} ]",
    "it reads the operator's build variables": '[ "$PIP_TEST" = yes ]',
}


@pytest.mark.skipif(not ROOT, reason="uids of their own need root")
async def test_a_sandboxed_program_reaches_its_own_and_nothing_else(bench, monkeypatch):
    monkeypatch.setenv("WINDLASS_TEST_SECRET", "x")
    monkeypatch.setenv("PIP_TEST", "yes")
    lines = [
        f"{{ {probe}; }} 2>/dev/null || echo 'NOT: {name.replace(chr(39), '')}'"
        for name, probe in PROBES.items()
    ]
    release = await bench.build(build_sh="\n".join([*lines, "echo done"]))
    log = bench.node.ground.home(bench.gear.id).release(release) / "build.log"
    assert log.read_text() == "done\n"


async def test_a_failed_build_shows_its_last_lines_and_leaves_nothing(bench):
    with pytest.raises(Refused) as caught:
        await bench.build(build_sh="seq 1 100; echo 'no matching distribution'; exit 7\n")
    message = str(caught.value)
    assert "exit status 7" in message
    assert message.splitlines()[-1] == "no matching distribution"
    assert len(message.splitlines()) == 21
    assert list(bench.node.ground.home(bench.gear.id).deployments.iterdir()) == []


async def test_a_build_that_is_cancelled_is_dead_and_can_be_done_again(bench):
    command = slumber()
    building = asyncio.create_task(bench.build(build_sh=f"{command}\n"))
    await bench.wait_for(command.split()[1], there=True)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    await bench.wait_for(command.split()[1], there=False)
    release = await bench.build(index_html="x")
    assert (await bench.node.observe(bench.gear.id)).releases == {release}


async def test_when_a_try_is_over_nothing_of_it_runs(bench):
    command = slumber()
    script = f"touch $HOME/begun\n{command} &\n{command}\n"
    home = bench.node.ground.home(bench.gear.id).folder
    for seconds in (1, 4, 16, 64):  # a slow machine needs more to get so far
        with Tries(lambda step, line: None) as tries:
            error = await tries.once(0, bench.build(build_sh=script), seconds)
        assert bench.processes(command.split()[1]) == []
        if any(home.rglob("begun")):
            break
    assert f"longer than {seconds}" in str(error)
    release = await bench.build(index_html="x")
    assert (await bench.node.observe(bench.gear.id)).releases == {release}


async def test_a_later_lease_kills_what_an_earlier_one_still_does(bench, setting):
    command = slumber()
    building = asyncio.create_task(bench.build(build_sh=f"{command}\n"))
    await bench.wait_for(command.split()[1], there=True)
    other = LocalNode("local:", setting)
    await other.publish(bench.gear, {"A": "b"}, bench.lease(2))
    with pytest.raises(LeaseLost):
        await building
    await bench.wait_for(command.split()[1], there=False)
    assert (await other.observe(bench.gear.id)).releases == frozenset()
    await other.close()


async def test_a_fence_that_was_spoilt_by_a_loss_of_power_is_as_good_as_none(bench):
    record = bench.node.fence.path(bench.gear.id)
    for left in (b"", b"\0" * record.stat().st_size, b'{"order": [1'):
        record.write_bytes(left)
        await bench.build()


@pytest.mark.skipif(not ROOT, reason="a disk of its own needs root")
async def test_a_gear_whose_disk_is_not_there_is_seen_all_the_same(bench):
    await bench.build()
    disks.remove(bench.node.ground.home(bench.gear.id))
    seen = await bench.node.observe(bench.gear.id)
    assert (seen.present, seen.releases, seen.cartridges) == (True, frozenset(), frozenset())


async def test_calls_of_one_lease_go_one_at_a_time(bench):
    first = asyncio.create_task(bench.build(build_sh="sleep 0.3; ls ../.. > $HOME/one\n"))
    second = asyncio.create_task(bench.build(index_html="x"))
    releases = set(await asyncio.gather(first, second))
    assert (await bench.node.observe(bench.gear.id)).releases == releases


async def test_a_gear_is_removed_with_all_that_it_has_made_undeletable(bench):
    text = (
        "mkdir -p $HOME/a/b/c && touch $HOME/a/b/c/file && ln -s /etc $HOME/a/link\n"
        "mkdir $OPENSHIFT_REPO_DIR/locked && touch $OPENSHIFT_REPO_DIR/locked/file\n"
        "chmod 000 $OPENSHIFT_REPO_DIR/locked $HOME/a/b/c; chmod 555 $HOME/a/b $HOME/a\n"
    )
    await bench.build(build_sh=text)
    await bench.node.remove(bench.gear.id, bench.lease())
    assert not bench.node.ground.home(bench.gear.id).folder.exists()
    assert Path("/etc/passwd").exists()


async def test_a_half_made_gear_is_seen_and_removed(node, cartridge, pack, bench):
    home = node.ground.home(bench.gear.id)
    home.place.unlink()
    assert not (await node.observe(bench.gear.id)).present
    assert await node.gears() == {bench.gear.id}
    await node.remove(bench.gear.id, bench.lease())
    assert await node.gears() == set()


async def test_without_bubblewrap_gears_are_refused_with_the_fix(bench, monkeypatch):
    def nothing(*args: object, **more: object) -> None:
        return None

    monkeypatch.setattr("windlass.nodes.local.sandbox.shutil.which", nothing)
    bench.node.ground.sandbox = None
    with pytest.raises(Refused, match="apt install bubblewrap"):
        await bench.build(index_html="x")


async def test_a_gear_without_a_sandbox_serves_too(short, cartridge, pack, bench_of):
    short.chmod(0o711)  # without a sandbox the gear's uid must reach the data folder by itself
    node = LocalNode("local:", NodeSetting(short / "data", short, sandbox=False))
    bench = bench_of(node, cartridge, pack)
    await bench.make()
    try:
        instance = await bench.run(await bench.build(index_html="hello"))
        report = await bench.until(instance, InstanceState.UP)
        assert await http(report.address) == "hello"
        await node.serve(bench.gear, cartridge, [], bench.lease())
    finally:
        await node.shutdown()
        await node.close()


WORKER = """
import asyncio, sys
from pathlib import Path
from windlass.engine.lease import Lease
from windlass.model.cartridges import read_manifest
from windlass.model.gears import Gear
from windlass.nodes.local.node import LocalNode
from windlass.nodes.setting import NodeSetting

data, run, cartridge, source, gear = sys.argv[1:]
node = LocalNode("local:", NodeSetting(Path(data), Path(run)))
little = read_manifest('name = "little"', Path(cartridge))
build = node.build(Gear(gear, "a1", 5), little, "rdead", Path(source), Lease("dead", 1, 1))
asyncio.run(build)
"""


async def test_what_a_killed_worker_has_started_does_not_go_on(bench, setting):
    command = slumber()
    source = bench.pack(build_sh=f"{command}\n")
    told = [setting.data, setting.run, bench.cartridge.folder, source, bench.gear.id]
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, *map(str, told))
    await bench.wait_for(command.split()[1], there=True)
    worker.kill()
    await worker.wait()
    await bench.node.publish(bench.gear, {}, bench.lease(2))
    await bench.wait_for(command.split()[1], there=False)
    with pytest.raises(LeaseLost):
        await bench.build(index_html="x")
    release = await bench.build(2, index_html="x")
    await bench.node.keep(bench.gear, [release], bench.lease(2))
    deployments = bench.node.ground.home(bench.gear.id).deployments
    assert [path.name for path in deployments.iterdir()] == [release]


async def test_a_zombie_in_a_build_does_not_keep_the_gear(bench, setting):
    """Frozen, and another has its job: its build is killed, and itself, or it kept it for ever."""
    command = slumber()
    source = bench.pack(build_sh=f"{command}\n")
    told = [setting.data, setting.run, bench.cartridge.folder, source, bench.gear.id]
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, *map(str, told))
    await bench.wait_for(command.split()[1], there=True)
    worker.send_signal(signal.SIGSTOP)
    async with asyncio.timeout(DEADLINE):
        release = await bench.build(2, index_html="x")
    assert await worker.wait() == -signal.SIGKILL
    await bench.wait_for(command.split()[1], there=False)
    assert (await bench.node.observe(bench.gear.id)).releases == {release}
    deployments = bench.node.ground.home(bench.gear.id).deployments
    await bench.node.keep(bench.gear, [release], bench.lease(2))
    assert [path.name for path in deployments.iterdir()] == [release]
