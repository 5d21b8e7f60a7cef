"""Host names and domain names, on both datastores and a pretended node."""

from typing import Any

import pytest

from conftest import until
from system.house import House, working
from windlass.app import LOCAL
from windlass.engine.job import Asker, Phase
from windlass.errors import Conflict, Taken
from windlass.model.applications import AppState
from windlass.model.ids import AppId
from windlass.nodes.pretend import PretendNode
from windlass.operations.aliases import AddAlias, RemoveAlias
from windlass.operations.domains import RenameDomain

WWW = "www.example.com"


def add(house: House, application: AppId, fqdn: str = WWW) -> AddAlias:
    return AddAlias(house.domain.id, application, "blog in demo", fqdn)


def remove(house: House, application: AppId, fqdn: str = WWW) -> RemoveAlias:
    return RemoveAlias(house.domain.id, application, "blog in demo", fqdn)


def rename(house: House, to: str = "prod", before: str = "demo") -> RenameDomain:
    return RenameDomain(house.domain.id, before, to)


def node_of(house: House) -> PretendNode:
    node = house.broker.nodes[LOCAL]
    assert isinstance(node, PretendNode)
    return node


async def hosts(house: House) -> dict[str, int]:
    """Every route, and how many instances answer there."""
    return {one.host: len(one.addresses) for one in await house.broker.store.routing.all()}


async def published(house: House) -> list[dict[str, Any]]:
    with node_of(house).store.change() as state:
        return [dict(one["variables"]) for one in state["gears"].values()]


# -- aliases -------------------------------------------------------------------------------


async def test_an_alias_answers_and_goes(house: House) -> None:
    creation = house.creation()
    async with working(house):
        await house.done(creation)
        await house.done(add(house, creation.application))
        assert await hosts(house) == {"blog-demo.localhost": 1, WWW: 1}
        [seen] = await published(house)
        assert seen["OPENSHIFT_APP_ALIASES"] == WWW
        await house.done(remove(house, creation.application))
        assert await hosts(house) == {"blog-demo.localhost": 1}
        [seen] = await published(house)
        assert seen["OPENSHIFT_APP_ALIASES"] == ""
        await house.done(add(house, creation.application))  # the name was free again
        await house.done(house.deletion(creation.application))
    assert await house.is_empty()


async def test_an_alias_is_nobody_elses(house: House) -> None:
    one, other = house.creation("one"), house.creation("other")
    async with working(house):
        await house.done(one)
        await house.done(other)
        await house.ask(add(house, one.application))
        with pytest.raises(Taken):
            await house.ask(add(house, other.application))


async def test_an_alias_that_one_gear_cannot_be_told_is_taken_back(house: House) -> None:
    creation = house.creation()
    async with working(house):
        await house.done(creation)
        before = await published(house)
        node_of(house).plant("publish", "*", "refused", 1)
        view = await house.ended(await house.ask(add(house, creation.application)))
        assert view.phase is Phase.FAILED
        assert await hosts(house) == {"blog-demo.localhost": 1}
        assert await published(house) == before
        await house.done(add(house, creation.application))


# -- renaming ------------------------------------------------------------------------------


async def test_a_domain_is_renamed_with_all_that_lives_in_it(house: House) -> None:
    started, stopped = house.creation("blog"), house.creation("shop")
    async with working(house):
        await house.done(started)
        await house.done(stopped)
        await house.done(house.event(stopped.application, "stop"))
        await house.done(add(house, started.application))
        old = await house.broker.store.fleet.instances(started.application)
        await house.done(rename(house))
        assert await hosts(house) == {"blog-prod.localhost": 1, "shop-prod.localhost": 0, WWW: 1}
        assert {one["OPENSHIFT_NAMESPACE"] for one in await published(house)} == {"prod"}
        assert {one["OPENSHIFT_APP_DNS"] for one in await published(house)} == {
            "blog-prod.localhost",
            "shop-prod.localhost",
        }
        new = await house.broker.store.fleet.instances(started.application)
        assert not {one.id for one in old} & {one.id for one in new}, "they see the new names"
        assert await house.broker.store.fleet.instances(stopped.application) == []
        application = await house.application(stopped.application)
        assert application is not None
        assert (application.state, application.domain_name) == (AppState.STOPPED, "prod")
        assert await house.broker.store.domains.find("demo") is None
        await house.broker.store.domains.add("demo", house.user)  # the old name is free
        await house.done(house.deletion(started.application))
        await house.done(house.deletion(stopped.application))
        found = await house.broker.store.domains.find("prod")
        assert found is not None
        await house.broker.store.domains.remove(found)


@pytest.mark.parametrize("call", ["publish", "serve"])
async def test_a_renaming_that_one_gear_cannot_follow_changes_nothing(
    house: House, call: str
) -> None:
    one, other = house.creation("one"), house.creation("other")
    async with working(house):
        await house.done(one)
        await house.done(other)
        before, seen = await hosts(house), await published(house)
        [gear] = await house.broker.store.fleet.gears(other.application)
        node_of(house).plant(call, gear.gear.id, "refused", 1)
        view = await house.ended(await house.ask(rename(house)))
        assert view.phase is Phase.FAILED, view.phase
        assert await hosts(house) == before
        assert await published(house) == seen
        domain = await house.broker.store.domains.get(house.domain.id)
        assert domain is not None and domain.name == "demo"
        await house.done(rename(house))  # nothing is in the way of the next one
    assert set(await hosts(house)) == {"one-prod.localhost", "other-prod.localhost"}


async def test_what_does_not_answer_anyhow_is_not_waited_for(house: House) -> None:
    creation = house.creation()
    async with working(house):
        await house.done(creation)
        old = await house.broker.store.fleet.instances(creation.application)
        node_of(house).plant("observe", "*", "crashed")
        await house.done(rename(house))
        assert await house.broker.store.fleet.instances(creation.application) == old
        assert await hosts(house) == {"blog-prod.localhost": 1}


async def test_who_renames_what_is_called_otherwise_by_now_is_told(house: House) -> None:
    await house.ask(rename(house, "next"))
    late = await house.ask(rename(house, "last"))
    async with working(house):
        view = await house.ended(late)
    assert view.phase is Phase.FAILED
    assert view.trouble is not None and "is called next by now" in view.trouble.text
    await house.broker.store.domains.add("last", house.user)
    await house.broker.store.domains.add("demo", house.user)


async def test_a_renaming_can_be_cancelled(house: House) -> None:
    creation = house.creation()
    async with working(house):
        await house.done(creation)
        seen = await published(house)
        node_of(house).plant("publish", "*", "transient", 40)
        job = await house.ask(rename(house))

        async def tries() -> bool:
            view = await house.broker.store.jobs.get(job)
            return view is not None and any(step.tries > 1 for step in view.steps)

        await until(tries)
        await house.broker.cancel(job, Asker("anna"))
        with node_of(house).store.change() as state:
            state["faults"].clear()
        view = await house.ended(job)
        assert view.phase is Phase.CANCELLED
    assert await hosts(house) == {"blog-demo.localhost": 1}
    assert await published(house) == seen


async def test_a_name_that_is_taken_is_refused_at_the_door(house: House) -> None:
    await house.broker.store.domains.add("prod", house.user)
    with pytest.raises(Taken):
        await house.ask(rename(house))
    first = await house.ask(rename(house, "next"))
    with pytest.raises((Taken, Conflict)):
        await house.broker.store.domains.add("next", house.user)
    assert first
