"""Every operation on the broker, done and taken back, on both datastores and a pretended node."""

from dataclasses import replace

import pytest

from conftest import until
from system.house import House, working
from windlass.app import LOCAL, worker_of
from windlass.engine.job import Phase
from windlass.engine.keeper import Retention
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import OverLimit, Taken
from windlass.model.applications import AppState
from windlass.model.gears import Gear
from windlass.model.ids import GearId, app_id, gear_id
from windlass.nodes.node import Node
from windlass.operations.domains import RenameDomain
from windlass.operations.strays import tidy


async def test_an_application_lives(house: House) -> None:
    creation = house.creation()
    id = creation.application
    async with working(house):
        view = await house.done(creation)
        assert len(view.steps) >= 7
        application = await house.application(id)
        assert application is not None
        assert application.state is AppState.STARTED
        (route,) = await house.broker.store.routing.all()
        assert route.host == "blog-demo.localhost"
        assert len(route.addresses) == 1

        await house.done(house.event(id, "restart"))
        (again,) = await house.broker.store.routing.all()
        assert again.addresses != route.addresses

        await house.done(house.event(id, "stop"))
        (silent,) = await house.broker.store.routing.all()
        assert silent.addresses == ()
        await house.done(house.deployment(id))
        assert (await house.application(id)).state is AppState.STOPPED  # type: ignore[union-attr]
        await house.done(house.event(id, "start"))
        await house.done(house.deployment(id))
        releases = await house.broker.store.applications.releases(id)
        assert [one.number for one in releases] == [3, 2, 1]
        instances = await house.broker.store.fleet.instances(id)
        assert [one.release for one in instances] == [releases[0].id]
        assert list(house.broker.archives.iterdir()) == []

        await house.done(house.deletion(id))
        await house.done(house.deletion(id))  # of what is not there any more
    assert await house.is_empty()


async def test_only_the_newest_releases_stay(house: House) -> None:
    creation = house.creation()
    async with working(house):
        await house.done(creation)
        await house.done(house.event(creation.application, "stop"))
        for _ in range(6):
            await house.done(house.deployment(creation.application))
    releases = await house.broker.store.applications.releases(creation.application)
    assert [one.number for one in releases] == [7, 6, 5, 4, 3]


async def test_what_is_to_be_created_later_can_be_deleted_now(house: House) -> None:
    creation = house.creation()
    later = await house.ask(creation, delay=3600.0)
    async with working(house):
        await house.done(house.deletion(creation.application))
    view = await house.broker.store.jobs.get(later)
    assert view is not None
    assert view.phase is Phase.CANCELLED
    assert await house.is_empty()
    await house.ask(house.creation())  # its name is free


async def test_names_are_taken_at_the_door(house: House) -> None:
    await house.ask(house.creation())
    with pytest.raises(Taken):
        await house.ask(house.creation())


async def test_an_application_keeps_its_name_with_its_domain_whatever_that_is_called(
    house: House,
) -> None:
    async with working(house):
        await house.done(house.creation())
        await house.done(RenameDomain(house.domain.id, "demo", "prod"))
    with pytest.raises(Taken):
        await house.ask(replace(house.creation(), domain_name="prod"))
    house.domain = await house.broker.store.domains.add("demo", house.user)
    await house.ask(house.creation())  # a namesake, in another domain that has the old name


async def test_what_is_created_after_a_renaming_answers_at_the_new_name(house: House) -> None:
    await house.ask(RenameDomain(house.domain.id, "demo", "prod"))
    job = await house.ask(house.creation())  # asked for while the domain had its old name
    async with working(house):
        assert (await house.ended(job)).phase is Phase.COMPLETE
    (route,) = await house.broker.store.routing.all()
    assert route.host == "blog-prod.localhost"


async def test_gears_are_counted_at_the_door(house: House) -> None:
    for number in range(house.user.most_gears):
        await house.ask(house.creation(f"app{number}"))
    with pytest.raises(OverLimit, match="20 of 20 gears are used, and this would take 1 more"):
        await house.ask(house.creation("more"))


CALLS = ["create", "publish", "install", "build", "activate", "serve"]


@pytest.mark.parametrize("call", CALLS)
async def test_a_creation_that_fails_at_the_node_leaves_nothing(house: House, call: str) -> None:
    house.broker.nodes[LOCAL].plant(call, "*", "refused", 1)  # type: ignore[attr-defined]
    creation = house.creation()
    async with working(house):
        view = await house.ended(await house.ask(creation))
    assert view.phase is Phase.FAILED, view.trouble
    assert view.trouble is not None
    assert await house.application(creation.application) is None
    assert await house.is_empty()


async def test_a_deployment_that_does_not_build_changes_nothing(house: House) -> None:
    creation = house.creation()
    async with working(house):
        await house.done(creation)
        before = await house.broker.store.routing.all()
        house.broker.nodes[LOCAL].plant("build", "*", "refused", 1)  # type: ignore[attr-defined]
        view = await house.ended(await house.ask(house.deployment(creation.application)))
        assert view.phase is Phase.FAILED
    assert await house.broker.store.routing.all() == before
    application = await house.application(creation.application)
    assert application is not None
    assert application.state is AppState.STARTED
    assert len(await house.broker.store.applications.releases(creation.application)) == 1
    assert list(house.broker.archives.iterdir()) == []


async def test_a_gear_that_nobody_knows_of_is_removed(house: House) -> None:
    node, gear = house.broker.nodes[LOCAL], gear_id()
    await node.create(Gear(gear, app_id(), 7), Lease(WorkerId("gone"), JobId(1), 1))
    creation = house.creation()
    async with working(house):
        await house.done(creation)
        seen = await tidy(house.broker, set())
        assert [stray for _, stray in seen] == [gear]
        assert gear in await node.gears()  # once is not enough: it may have been on its way
        await tidy(house.broker, seen)
        await until(lambda: is_gone(node, gear))
        assert await tidy(house.broker, seen) == set()
        await house.done(house.deletion(creation.application))
    assert await house.is_empty()


async def is_gone(node: Node, gear: GearId) -> bool:
    return gear not in await node.gears()


async def test_a_worker_keeps_for_as_long_as_it_was_told(house: House) -> None:
    settings = replace(house.settings, keep_steps=0.5, keep_jobs=2)
    assert worker_of(house.broker, settings).retention == Retention(steps=1800, rows=172_800)
    assert worker_of(house.broker, house.settings).retention == Retention()
