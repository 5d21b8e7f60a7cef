"""Scaling on the broker, on both datastores and a pretended node; every limit at the door."""

import asyncio
from typing import Any

import pytest

from system.house import House, working
from windlass.app import LOCAL
from windlass.engine.job import Phase
from windlass.engine.operation import Operation
from windlass.errors import OverLimit, Refused
from windlass.model.applications import AppState
from windlass.model.ids import AppId
from windlass.nodes.pretend import Effect


async def made(house: House, name: str = "blog") -> AppId:
    creation = house.creation(name)
    await house.done(creation)
    return creation.application


async def gears(house: House, id: AppId) -> int:
    """How many there are, by every count that there is."""
    fleet, quotas = house.broker.store.fleet, house.broker.store.quotas
    counted = {
        len(await fleet.gears(id)),
        await quotas.gears(id),
        len(await house.broker.nodes[LOCAL].gears()),
        (await quotas.used(house.user.id))["gears"],
        (await quotas.used(house.user.id))["storage"],  # small ones have a GiB each
    }
    assert len(counted) == 1, counted
    return counted.pop()


async def routed(house: House) -> int:
    (route,) = await house.broker.store.routing.all()
    return len(set(route.addresses))


def effects(house: House, call: str) -> list[Effect]:
    told: list[Effect] = house.broker.nodes[LOCAL].effects()  # type: ignore[attr-defined]
    return [one for one in told if one.call == call and one.changed]


async def limited(house: House, **limits: int) -> None:
    await house.broker.store.accounts.limit("anna", limits)


async def test_an_application_grows_lives_with_that_and_shrinks(house: House) -> None:
    async with working(house):
        id = await made(house)
        before = await house.broker.store.fleet.instances(id)
        await house.done(house.scaling(id, to=3))
        assert (await gears(house, id), await routed(house)) == (3, 3)
        assert before[0] in await house.broker.store.fleet.instances(id)
        assert len(effects(house, "build")) == 1

        await house.done(house.deployment(id))
        newest = (await house.broker.store.applications.releases(id))[0].id
        instances = await house.broker.store.fleet.instances(id)
        assert [one.release for one in instances] == [newest] * 3
        assert (len(effects(house, "build")), len(effects(house, "copy"))) == (2, 4)
        for event, answering in (("restart", 3), ("stop", 0), ("start", 3)):
            await house.done(house.event(id, event))
            assert await routed(house) == answering

        oldest = (await house.broker.store.fleet.gears(id))[0]
        await house.done(house.scaling(id, by=-2))
        assert (await gears(house, id), await routed(house)) == (1, 1)
        assert (await house.broker.store.fleet.gears(id)) == [oldest]
        await house.done(house.scaling(id, to=2))
        await house.done(house.deletion(id))
    assert await house.is_empty()


async def test_a_stopped_application_scales_without_starting(house: House) -> None:
    async with working(house):
        id = await made(house)
        await house.done(house.event(id, "stop"))
        await house.done(house.scaling(id, to=3))
        assert (await gears(house, id), await routed(house)) == (3, 0)
        assert await house.broker.store.fleet.instances(id) == []
        await house.done(house.scaling(id, to=2))
        assert (await house.application(id)).state is AppState.STOPPED  # type: ignore[union-attr]
        await house.done(house.event(id, "start"))
        assert (await gears(house, id), await routed(house)) == (2, 2)


async def test_who_is_there_already_makes_nothing(house: House) -> None:
    async with working(house):
        id = await made(house)
        view = await house.done(house.scaling(id, to=1))
    assert not view.steps


CALLS = ["create", "publish", "install", "copy", "activate", "serve"]


@pytest.mark.parametrize("call", CALLS)
async def test_what_fails_in_the_third_gear_takes_the_new_ones_back(
    house: House, call: str
) -> None:
    async with working(house):
        id = await made(house)
    before = await house.broker.store.routing.all()
    job = await house.ask(house.scaling(id, to=4))
    third = (await house.broker.store.quotas.reserved(job))[-1]
    house.broker.nodes[LOCAL].plant(call, third, "refused", 1)  # type: ignore[attr-defined]
    async with working(house):
        assert (await house.ended(job)).phase is Phase.FAILED
    assert await gears(house, id) == 1
    assert await house.broker.store.routing.all() == before


# -- limits --------------------------------------------------------------------------------


async def test_two_of_the_same_moment_do_not_both_take_the_last_gear(house: House) -> None:
    async with working(house):
        one, other = await made(house, "one"), await made(house, "other")
        await limited(house, most_gears=3)
        wishes = [house.scaling(id, by=1) for id in (one, other)]
        asked = await asyncio.gather(*map(house.ask, wishes), return_exceptions=True)
        (refused,) = [one for one in asked if isinstance(one, BaseException)]
        assert isinstance(refused, OverLimit)
        assert str(refused) == "3 of 3 gears are used, and this would take 1 more"
        assert refused.code == 104
        (job,) = [one for one in asked if not isinstance(one, BaseException)]
        assert (await house.ended(job)).phase is Phase.COMPLETE


async def test_the_numbers_are_told_as_a_whole(house: House) -> None:
    id = house.creation()
    await house.ask(id)
    with pytest.raises(OverLimit, match="1 of 20 gears are used, and this would take 29 more"):
        await house.ask(house.scaling(id.application, to=30))
    await limited(house, most_storage=5)
    with pytest.raises(OverLimit, match="1 of 5 GiB of storage are used") as told:
        await house.ask(house.scaling(id.application, to=6))
    assert told.value.code == 166


async def test_a_size_is_kept_told_to_the_node_and_counted(house: House) -> None:
    creation = house.creation(size="large")
    async with working(house):
        await house.done(creation)
        await house.done(house.scaling(creation.application, to=2))
    housed = await house.broker.store.fleet.gears(creation.application)
    assert [one.gear.size.name for one in housed] == ["large", "large"]
    used = await house.broker.store.quotas.used(house.user.id)
    assert used == {"domains": 1, "gears": 2, "storage": 8}


BEYOND: list[tuple[dict[str, int], str, str]] = [
    ({"to": 1}, "the least is 2", "to"),
    ({"by": -1}, "the least is 2", "by"),
    ({"to": 5}, "the most is 4", "to"),
    ({"by": 3}, "the most is 4", "by"),
    ({"to": 0}, "the least is 2", "to"),
    ({"to": 10**30}, "the most is 4", "to"),
]


async def test_bounds_are_kept_and_bring_the_gears_that_they_ask_for(house: House) -> None:
    async with working(house):
        id = await made(house)
        await house.done(house.bounding(id, 2, 4))
        assert (await gears(house, id), await routed(house)) == (2, 2)
        for wish, words, field in BEYOND:
            with pytest.raises(Refused, match=words) as told:
                await house.ask(house.scaling(id, **wish))
            assert (told.value.code, told.value.field) == (168, field)
        await house.done(house.scaling(id, to=4))
        await house.done(house.bounding(id, 1, 3))
        assert (await gears(house, id), await routed(house)) == (3, 3)
        application = await house.application(id)
        assert application is not None
        assert (application.scales_from, application.scales_to) == (1, 3)


# -- at the same moment --------------------------------------------------------------------


async def all_done(house: House, *wishes: Operation[Any]) -> None:
    """Asked for before anybody works; all of them complete."""
    asked = [await house.ask(wish) for wish in wishes]
    async with working(house):
        for job in asked:
            view = await house.ended(job)
            assert view.phase is Phase.COMPLETE, view.trouble


@pytest.mark.parametrize("scaling_first", [True, False])
async def test_scale_and_deploy_go_one_after_the_other(house: House, scaling_first: bool) -> None:
    """The later one looks at the gears and the release that are there when it begins."""
    async with working(house):
        id = await made(house)
    wishes: list[Operation[Any]] = [house.scaling(id, to=3), house.deployment(id)]
    await all_done(house, *(wishes if scaling_first else reversed(wishes)))
    newest = (await house.broker.store.applications.releases(id))[0].id
    instances = await house.broker.store.fleet.instances(id)
    assert [one.release for one in instances] == [newest] * 3
    assert (await gears(house, id), await routed(house)) == (3, 3)
    for housed in await house.broker.store.fleet.gears(id):
        report = await house.broker.nodes[LOCAL].observe(housed.gear.id)
        assert report.active == newest


async def test_each_wish_counts_from_what_those_before_it_have_made(house: House) -> None:
    async with working(house):
        id = await made(house)
    down, up = house.scaling(id, to=1), house.scaling(id, to=3)
    await all_done(house, house.scaling(id, by=1), house.scaling(id, by=1), down, up)
    assert (await gears(house, id), await routed(house)) == (3, 3)


async def test_what_was_not_reserved_at_the_door_may_be_gone_by_then(house: House) -> None:
    async with working(house):
        id = await made(house)
        await house.done(house.scaling(id, to=3))
    down, up = await house.ask(house.scaling(id, to=1)), await house.ask(house.scaling(id, to=3))
    await limited(house, most_gears=2)
    async with working(house):
        assert (await house.ended(down)).phase is Phase.COMPLETE
        view = await house.ended(up)
    assert view.phase is Phase.FAILED
    assert view.trouble is not None
    assert view.trouble.text == "1 of 2 gears are used, and this would take 2 more"
    assert await gears(house, id) == 1
