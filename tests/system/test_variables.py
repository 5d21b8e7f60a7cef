"""Variables on the broker, on both datastores and a pretended node: all gears, or none."""

from typing import Any

import pytest

from api.site import Gate
from system.house import House, working
from windlass.app import LOCAL
from windlass.engine.job import Asker, Phase
from windlass.engine.policy import Retry
from windlass.errors import Conflict
from windlass.model.applications import AppState
from windlass.model.ids import AppId
from windlass.operations.steps import PublishVariables
from windlass.operations.variables import ForgetChange, MakeChange, TakeChange

BEFORE = {"OLD": "1", "GONE": "2"}
CHANGE: dict[str, str | None] = {"OLD": "3", "GONE": None, "NEW": "4"}
AFTER = {"OLD": "3", "NEW": "4"}


async def made(house: House, gears: int = 3) -> AppId:
    """An application with variables; a worker must be there."""
    creation = house.creation()
    await house.done(creation)
    await house.done(house.scaling(creation.application, to=gears))
    await house.done(await house.setting(creation.application, **BEFORE))
    return creation.application


def node(house: House) -> Any:
    return house.broker.nodes[LOCAL]


def told(house: House) -> list[dict[str, str]]:
    """What each gear was told of its user's variables."""
    with node(house).store.change() as state:
        published = [gear["variables"] for gear in state["gears"].values()]
    return [{name: one[name] for name in (*BEFORE, "NEW") if name in one} for one in published]


async def kept(house: House, id: AppId) -> dict[str, str]:
    """What the datastore has of them; nothing is set aside."""
    assert (await house.counts())["changes"] == 0
    return {one.name: one.value for one in await house.broker.store.variables.all(id)}


async def addresses(house: House) -> tuple[str, ...]:
    (route,) = await house.broker.store.routing.all()
    return tuple(route.addresses)


async def test_several_change_in_every_gear_and_new_instances_see_them(house: House) -> None:
    async with working(house):
        id = await made(house)
        before = await addresses(house)
        assert (await kept(house, id), told(house)) == (BEFORE, [BEFORE] * 3)
        view = await house.done(await house.setting(id, **CHANGE))
        assert view.title == "Set GONE, NEW, OLD of application blog"
        assert (await kept(house, id), told(house)) == (AFTER, [AFTER] * 3)
        after = await addresses(house)
        assert len(after) == 3
        assert not set(before) & set(after)
        await house.done(house.scaling(id, to=4))
        assert told(house) == [AFTER] * 4
        await house.done(house.deletion(id))
    assert await house.is_empty()


@pytest.mark.parametrize("error", ["refused", "transient"])
async def test_a_gear_that_refuses_or_never_answers_leaves_all_as_before(
    house: House, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = Retry(attempts=3, first=0.01)
    monkeypatch.setattr(PublishVariables, "retry", hasty)
    async with working(house):
        id = await made(house)
        before = await addresses(house)
        second = (await house.broker.store.fleet.gears(id))[1].gear.id
        times = 1 if error == "refused" else hasty.attempts
        node(house).plant("publish", second, error, times)
        view = await house.ended(await house.ask(await house.setting(id, **CHANGE)))
        assert view.phase is Phase.FAILED
        assert view.trouble is not None
        assert "publish was planted to fail" in view.trouble.text
        assert (await kept(house, id), told(house)) == (BEFORE, [BEFORE] * 3)
        assert await addresses(house) == before
        await house.done(await house.setting(id, **CHANGE))
        assert (await kept(house, id), told(house)) == (AFTER, [AFTER] * 3)


@pytest.mark.parametrize("call", ["publish", "serve"])
async def test_a_cancel_leaves_all_as_before(house: House, call: str) -> None:
    async with working(house):
        id = await made(house)
        before = await addresses(house)
        gate = Gate(node(house), call)
        job = await house.ask(await house.setting(id, **CHANGE))
        await gate.wait()
        await house.broker.cancel(job, Asker("anna"))
        gate.open()
        assert (await house.ended(job)).phase is Phase.CANCELLED
        assert (await kept(house, id), told(house)) == (BEFORE, [BEFORE] * 3)
        assert await addresses(house) == before


async def test_nothing_is_started_of_a_stopped_application(house: House) -> None:
    async with working(house):
        id = await made(house, 1)
        await house.done(house.event(id, "stop"))
        await house.done(await house.setting(id, **CHANGE))
        assert (await kept(house, id), told(house)) == (AFTER, [AFTER])
        assert await house.broker.store.fleet.instances(id) == []
        assert (await house.application(id)).state is AppState.STOPPED  # type: ignore[union-attr]
        assert await addresses(house) == ()


async def test_a_crashed_application_is_told_and_not_waited_for(house: House) -> None:
    """What it lacks may be the very variable."""
    async with working(house):
        id = await made(house, 1)
        node(house).plant("observe", "*", "crashed")
        await house.done(await house.setting(id, **CHANGE))
        assert told(house) == [AFTER]


async def test_the_platform_s_secret_is_a_user_s_until_it_is_unset(house: House) -> None:
    async with working(house):
        id = await made(house, 1)
        ours = published(house)["OPENSHIFT_SECRET_TOKEN"]
        await house.done(await house.setting(id, OPENSHIFT_SECRET_TOKEN="mine"))
        assert published(house)["OPENSHIFT_SECRET_TOKEN"] == "mine"
        await house.done(await house.setting(id, OPENSHIFT_SECRET_TOKEN=None))
        assert published(house)["OPENSHIFT_SECRET_TOKEN"] == ours


def published(house: House) -> dict[str, str]:
    with node(house).store.change() as state:
        (gear,) = state["gears"].values()
        found: dict[str, str] = gear["variables"]
        return found


async def test_jobs_of_the_same_moment_go_one_after_the_other(house: House) -> None:
    async with working(house):
        id = await made(house, 1)
    first = await house.ask(await house.setting(id, OLD="5", NEW="5"))
    last = await house.ask(await house.setting(id, **CHANGE))
    async with working(house):
        for job in (first, last):
            assert (await house.ended(job)).phase is Phase.COMPLETE
    assert (await kept(house, id), told(house)) == (AFTER, [AFTER])


async def test_each_step_bears_being_done_and_undone_twice(house: House) -> None:
    """And undone without having been done."""
    async with working(house):
        id = await made(house, 1)
    operation = await house.setting(id, **CHANGE)
    world, change = house.broker, operation.change
    take, make, forget = TakeChange(change), MakeChange(id, change), ForgetChange(change)

    async def now() -> dict[str, str]:
        return {one.name: one.value for one in await world.store.variables.all(id)}

    await make.undo(world)
    assert await now() == BEFORE
    for _ in range(2):
        for _ in range(2):
            await take.do(world)
            await make.do(world)
            assert await now() == AFTER
        for _ in range(2):
            await make.undo(world)
            assert await now() == BEFORE
    await make.do(world)
    for _ in range(2):
        await forget.do(world)
    await make.undo(world)
    assert await now() == AFTER
    for _ in range(2):
        await take.undo(world)
    with pytest.raises(Conflict, match="set them again"):
        await take.do(world)
    with pytest.raises(Conflict, match="set them again"):
        await house.ask(operation)
