"""Pretended nodes fail as planted and count what was done."""

import asyncio

import pytest

from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import LeaseLost, Refused, Transient
from windlass.model.cartridges import read_manifest
from windlass.model.gears import Gear, Instance, InstanceState
from windlass.model.ids import app_id, gear_id, instance_id, release_id
from windlass.nodes.file import FileNode
from windlass.nodes.memory import MemoryNode
from windlass.nodes.pretend import PretendNode

BY = Lease(WorkerId("w"), JobId(3), 2)


@pytest.fixture(params=["memory", "file"])
def node(request, tmp_path, setting) -> PretendNode:
    if request.param == "memory":
        return MemoryNode("memory:", setting)
    return FileNode(f"file:{tmp_path / 'node'}", setting)


@pytest.fixture
def gear() -> Gear:
    return Gear(gear_id(), app_id(), slot=1)


async def test_a_call_fails_as_often_as_it_was_planted(node, gear, tmp_path):
    node.plant("create", gear.id, "transient", times=2)
    for _ in range(2):
        with pytest.raises(Transient):
            await node.create(gear, BY)
    await node.create(gear, BY)
    node.plant("*", "little", "refused")
    little = read_manifest('name = "little"', tmp_path)
    for _ in range(5):
        with pytest.raises(Refused):
            await node.install(gear, little, BY)
    await node.install(gear, read_manifest('name = "other"', tmp_path), BY)


async def test_instances_look_crashed_where_that_was_planted(node, gear, tmp_path):
    little = read_manifest('name = "little"', tmp_path)
    release = release_id()
    await node.create(gear, BY)
    await node.install(gear, little, BY)
    await node.build(gear, little, release, None, BY)
    await node.serve(gear, little, [Instance(instance_id(), release)], BY)
    node.plant("observe", release, "crashed")
    report = await node.observe(gear.id)
    assert [one.state for one in report.instances] == [InstanceState.CRASHED]


async def test_effects_tell_what_was_done_and_what_changed(node, gear):
    await node.create(gear, BY)
    await node.create(gear, BY)
    await node.remove(gear.id, BY)
    with pytest.raises(LeaseLost):
        await node.create(gear, Lease(WorkerId("w"), JobId(3), 1))
    told = [(one.call, one.changed, one.job, one.number) for one in node.effects()]
    assert told == [("create", True, 3, 2), ("create", False, 3, 2), ("remove", True, 3, 2)]


async def test_a_folder_is_one_node_for_all_who_open_it(tmp_path, setting, gear):
    url = f"file:{tmp_path / 'node'}"
    one, other = FileNode(url, setting), FileNode(url, setting)
    many = [Gear(gear_id(), app_id(), slot=slot) for slot in range(20)]
    await asyncio.gather(
        *(
            asyncio.to_thread(asyncio.run, node.create(gear, BY))
            for gear in many
            for node in (one, other)
        )
    )
    assert await other.gears() == {gear.id for gear in many}
    assert sum(effect.changed for effect in other.effects()) == 20
    assert len(one.effects()) == 40


async def test_a_file_node_wants_a_folder(setting):
    with pytest.raises(Refused, match="folder"):
        FileNode("file:", setting)
