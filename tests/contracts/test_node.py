"""What every node keeps to, said once."""

import asyncio
import contextlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import LeaseLost, Refused
from windlass.model.cartridges import Action, Cartridge, read_manifest
from windlass.model.gears import Gear, GearReport, Instance, InstanceState
from windlass.model.ids import app_id, gear_id, instance_id, release_id
from windlass.nodes.file import FileNode
from windlass.nodes.local.node import LocalNode
from windlass.nodes.memory import MemoryNode
from windlass.nodes.node import Node
from windlass.nodes.setting import NodeSetting

DEADLINE = 60.0
BY = Lease(WorkerId("w"), JobId(10), 1)
EARLIER = [Lease(WorkerId("w"), JobId(9), 7), Lease(WorkerId("v"), JobId(10), 0)]
LATER = Lease(WorkerId("w"), JobId(10), 2)
PARTS = {"files", "user", "network", "memory", "processes", "cpu", "disk"}
SERVER = """
import faulthandler, http.server, os, signal
faulthandler.register(signal.SIGUSR2)
signal.signal(signal.SIGHUP, lambda *_: None)
address = os.environ["HOST"], int(os.environ["PORT"])
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""
CONTROL = f"#!/bin/sh\nexec python3 -c '{SERVER}'\n"
MANIFEST = 'name = "little"\n[actions]\nreload = "HUP"\nthread-dump = "USR2"\n'


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeSetting]:
    """One folder for all local nodes of this module: its supervisor starts once."""
    run = Path(tempfile.mkdtemp(prefix="w"))
    setting = NodeSetting(tmp_path_factory.mktemp("data"), run)
    yield setting
    asyncio.run(down(setting))
    shutil.rmtree(run)


async def down(setting: NodeSetting) -> None:
    node = LocalNode("local:", setting)
    await node.shutdown()
    await node.close()


@pytest.fixture(params=["memory", "file", "local"])
async def node(request, tmp_path, setting) -> AsyncIterator[Node]:
    kinds = {"memory": MemoryNode, "file": FileNode, "local": LocalNode}
    url = f"file:{tmp_path / 'node'}" if request.param == "file" else f"{request.param}:"
    node = kinds[request.param](url, setting)
    yield node
    await node.close()


@pytest.fixture
def cartridge(tmp_path) -> Cartridge:
    """A web server that needs nothing but python3."""
    folder = tmp_path / "little"
    (folder / "bin").mkdir(parents=True)
    (folder / "template").mkdir()
    (folder / "template" / "index.html").write_text("template")
    (folder / "bin" / "build").write_text("#!/bin/sh\n")
    (folder / "bin" / "control").write_text(CONTROL)
    return read_manifest(MANIFEST, folder)


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "source.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("index.html")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    return path


@pytest.fixture
def gear() -> Gear:
    return Gear(gear_id(), app_id(), slot=3)


@pytest.fixture
async def made(node, gear, cartridge) -> AsyncIterator[Gear]:
    """A gear with the cartridge in it; gone afterwards."""
    await node.create(gear, BY)
    await node.install(gear, cartridge, BY)
    yield gear
    await node.remove(gear.id, Lease(WorkerId("w"), JobId(99), 1))


async def answering(node: Node, gear: Gear, count: int) -> GearReport:
    """The report, once that many instances are up."""
    async with asyncio.timeout(DEADLINE):
        while True:
            report = await node.observe(gear.id)
            states = [one.state for one in report.instances]
            if states == [InstanceState.UP] * count:
                return report
            await asyncio.sleep(0.05)


async def test_what_was_never_made_is_not_there_and_is_taken_away_without_complaint(
    node, gear, cartridge
):
    assert await node.observe(gear.id) == GearReport(gear.id, present=False)
    await node.serve(gear, cartridge, [], BY)
    await node.activate(gear, None, BY)
    await node.keep(gear, [], BY)
    await node.uninstall(gear, cartridge, BY)
    await node.remove(gear.id, BY)
    assert not (await node.observe(gear.id)).present
    assert gear.id not in await node.gears()


async def test_a_gear_is_made_once_and_removed_once_however_often_that_is_said(node, gear):
    place = await node.create(gear, BY)
    assert await node.create(gear, BY) == place
    report = await node.observe(gear.id)
    assert (report.present, report.place) == (True, place)
    assert gear.id in await node.gears()
    await node.remove(gear.id, BY)
    await node.remove(gear.id, BY)
    assert not (await node.observe(gear.id)).present
    assert gear.id not in await node.gears()


async def test_a_cartridge_is_installed_once_and_taken_away(node, made, cartridge):
    await node.install(made, cartridge, BY)
    assert (await node.observe(made.id)).cartridges == {"little"}
    await node.uninstall(made, cartridge, BY)
    await node.uninstall(made, cartridge, BY)
    assert (await node.observe(made.id)).cartridges == frozenset()


async def test_the_published_variables_are_the_whole_set(node, made):
    await node.publish(made, {"ONE": "1", "TWO": 'two "quoted"\nlines'}, BY)
    assert (await node.observe(made.id)).variables == {"ONE", "TWO"}
    await node.publish(made, {"THREE": "3"}, BY)
    await node.publish(made, {"THREE": "3"}, BY)
    assert (await node.observe(made.id)).variables == {"THREE"}


async def test_releases_are_built_kept_and_activated(node, made, cartridge, source):
    first, second = release_id(), release_id()
    await node.build(made, cartridge, first, None, BY)
    await node.build(made, cartridge, first, None, BY)
    await node.build(made, cartridge, second, source, BY)
    await node.activate(made, second, BY)
    report = await node.observe(made.id)
    assert (report.releases, report.active) == ({first, second}, second)
    await node.keep(made, [second, release_id()], BY)
    assert (await node.observe(made.id)).releases == {second}
    await node.activate(made, None, BY)
    assert (await node.observe(made.id)).active is None


async def test_a_release_is_copied_once_into_another_gear_and_serves_there(
    node, made, cartridge, source
):
    release, other = release_id(), Gear(gear_id(), made.application, slot=4)
    await node.build(made, cartridge, release, source, BY)
    await node.create(other, BY)
    await node.install(other, cartridge, BY)
    await node.copy(other, release, made.id, BY)
    await node.copy(other, release, made.id, BY)
    await node.activate(other, release, BY)
    await node.remove(made.id, BY)
    await node.copy(other, release, made.id, BY)  # it is there, whatever became of its source
    report = await node.observe(other.id)
    assert (report.releases, report.active) == ({release}, release)
    await node.serve(other, cartridge, [Instance(instance_id(), release)], BY)
    await answering(node, other, 1)
    await node.remove(other.id, Lease(WorkerId("w"), JobId(99), 1))


async def test_what_was_not_built_is_not_copied(node, made, cartridge):
    other = Gear(gear_id(), made.application, slot=4)
    await node.create(other, BY)
    for source in (made.id, gear_id()):
        with pytest.raises(Refused):
            await node.copy(other, release_id(), source, BY)
    assert (await node.observe(other.id)).releases == frozenset()
    await node.remove(other.id, Lease(WorkerId("w"), JobId(99), 1))


async def test_what_is_no_archive_does_not_build(node, made, cartridge, tmp_path):
    (broken := tmp_path / "broken").write_text("no archive")
    with pytest.raises(Refused):
        await node.build(made, cartridge, release_id(), broken, BY)
    assert (await node.observe(made.id)).releases == frozenset()


async def test_what_was_not_built_neither_runs_nor_becomes_active(node, made, cartridge):
    with pytest.raises(Refused):
        await node.activate(made, release_id(), BY)
    with pytest.raises(Refused):
        await node.serve(made, cartridge, [Instance(instance_id(), release_id())], BY)
    report = await node.observe(made.id)
    assert (report.active, report.instances) == (None, ())


async def test_exactly_the_wanted_instances_run(node, made, cartridge, source):
    first, second = release_id(), release_id()
    await node.build(made, cartridge, first, None, BY)
    await node.build(made, cartridge, second, source, BY)
    old, new = Instance(instance_id(), first), Instance(instance_id(), second)
    await node.serve(made, cartridge, [old], BY)
    alone = (await answering(node, made, 1)).instances[0]
    await node.serve(made, cartridge, [old, new], BY)
    await node.serve(made, cartridge, [old, new], BY)
    both = await answering(node, made, 2)
    assert both.instance(old.id) == alone, "the old one goes on as it was, at its address"
    assert len({one.address for one in both.instances}) == 2
    await node.serve(made, cartridge, [new], BY)
    after = await answering(node, made, 1)
    assert after.instances == (both.instance(new.id),)
    await node.serve(made, cartridge, [], BY)
    assert (await node.observe(made.id)).instances == ()


async def test_an_action_reaches_what_runs(node, made, cartridge):
    release = release_id()
    await node.build(made, cartridge, release, None, BY)
    instance = Instance(instance_id(), release)
    for action in (Action.RELOAD, Action.THREAD_DUMP):
        with pytest.raises(Refused):
            await node.control(made, cartridge, action, BY)
    await node.serve(made, cartridge, [instance], BY)
    before = await answering(node, made, 1)
    for _ in "twice":
        assert await node.control(made, cartridge, Action.THREAD_DUMP, BY)
        await node.control(made, cartridge, Action.RELOAD, BY)
    assert (await answering(node, made, 1)).instances == before.instances
    mute = read_manifest('name = "little"', cartridge.folder)
    with pytest.raises(Refused):
        await node.control(made, mute, Action.THREAD_DUMP, BY)


async def test_what_is_killed_runs_no_more_until_it_is_served_again(node, made, cartridge):
    release = release_id()
    await node.build(made, cartridge, release, None, BY)
    instance = Instance(instance_id(), release)
    await node.control(made, cartridge, Action.KILL, BY)
    await node.serve(made, cartridge, [instance], BY)
    await answering(node, made, 1)
    for _ in "twice":
        await node.control(made, cartridge, Action.KILL, BY)
    states = [one.state for one in (await node.observe(made.id)).instances]
    assert InstanceState.UP not in states
    await node.serve(made, cartridge, [instance], BY)
    await answering(node, made, 1)


async def test_what_is_tidied_gives_back_bytes_and_goes_on(node, made, cartridge):
    release = release_id()
    await node.build(made, cartridge, release, None, BY)
    await node.serve(made, cartridge, [Instance(instance_id(), release)], BY)
    before = await answering(node, made, 1)
    for _ in "twice":
        assert int(await node.control(made, cartridge, Action.TIDY, BY)) >= 0
    assert (await answering(node, made, 1)).instances == before.instances


async def test_nothing_is_done_to_a_gear_that_is_not_there(node, gear, cartridge):
    for action in Action:
        with pytest.raises(Refused):
            await node.control(gear, cartridge, action, BY)


async def test_a_gear_that_serves_is_removed_whole(node, made, cartridge):
    release = release_id()
    await node.build(made, cartridge, release, None, BY)
    await node.serve(made, cartridge, [Instance(instance_id(), release)], BY)
    await node.remove(made.id, BY)
    assert await node.observe(made.id) == GearReport(made.id, present=False)


async def test_what_nobody_has_left_or_filled_is_nothing(node, made):
    assert await node.sweep() == []
    assert await node.over() == set()
    kept = {one.name: one.kept for one in await node.isolation()}
    assert set(kept) in (set(), PARTS)


async def every_change(node: Node, gear: Gear, cartridge: Cartridge, by: Lease) -> int:
    """Try every call that changes something; how many have said that the lease is lost."""
    calls = [
        lambda: node.create(gear, by),
        lambda: node.install(gear, cartridge, by),
        lambda: node.uninstall(gear, cartridge, by),
        lambda: node.publish(gear, {}, by),
        lambda: node.build(gear, cartridge, release_id(), None, by),
        lambda: node.copy(gear, release_id(), gear_id(), by),
        lambda: node.keep(gear, [], by),
        lambda: node.activate(gear, None, by),
        lambda: node.serve(gear, cartridge, [], by),
        lambda: node.control(gear, cartridge, Action.TIDY, by),
        lambda: node.remove(gear.id, by),
    ]
    lost = 0
    for call in calls:
        with contextlib.suppress(Refused):
            try:
                await call()
            except LeaseLost:
                lost += 1
    return lost


@pytest.mark.parametrize("earlier", EARLIER, ids=["earlier job", "earlier claim"])
async def test_an_earlier_lease_changes_nothing_any_more(node, made, cartridge, earlier):
    before = await node.observe(made.id)
    assert await every_change(node, made, cartridge, earlier) == 11
    assert await node.observe(made.id) == before
    await node.remove(made.id, BY)
    assert await every_change(node, made, cartridge, earlier) == 11, "also after the gear is gone"
    assert not (await node.observe(made.id)).present


async def test_a_later_lease_takes_over(node, made, cartridge):
    assert await every_change(node, made, cartridge, LATER) == 0
    assert await every_change(node, made, cartridge, BY) == 11
