"""What an operation finds when a worker is killed in it: one scenario each, and how it ends."""

from collections.abc import Awaitable, Callable
from typing import Any

from system.house import House
from system.trials import work
from windlass.app import LOCAL
from windlass.engine.job import Phase
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.model.gears import Gear
from windlass.model.ids import app_id, gear_id
from windlass.nodes.file import FileNode
from windlass.operations.aliases import RemoveAlias
from windlass.operations.domains import RenameDomain
from windlass.operations.lifecycle import StopFull
from windlass.operations.strays import RemoveStray


def node(house: House) -> FileNode:
    found = house.broker.nodes[LOCAL]
    assert isinstance(found, FileNode)
    return found


async def created(house: House) -> Any:
    creation = house.creation()
    await work(house, job := await house.ask(creation))
    assert (await house.ended(job)).phase is Phase.COMPLETE
    return creation.application


async def create(house: House) -> JobId:
    return await house.ask(house.creation())


async def create_refused(house: House) -> JobId:
    node(house).plant("install", "*", "refused")
    return await create(house)


async def create_ruined(house: House) -> JobId:
    node(house).plant("serve", "*", "refused")
    node(house).plant("remove", "*", "refused")
    return await create(house)


def event(name: str) -> Callable[[House], Awaitable[JobId]]:
    async def prepare(house: House) -> JobId:
        return await house.ask(house.event(await created(house), name))

    return prepare


async def start(house: House) -> JobId:
    id = await created(house)
    await work(house, await house.ask(house.event(id, "stop")))
    return await house.ask(house.event(id, "start"))


async def restart_that_does_not_answer(house: House) -> JobId:
    id = await created(house)
    node(house).plant("observe", "*", "crashed")
    return await house.ask(house.event(id, "restart"))


async def reload_refused(house: House) -> JobId:
    id = await created(house)
    node(house).plant("control", "*", "refused")
    return await house.ask(house.event(id, "reload"))


async def deploy(house: House) -> JobId:
    return await house.ask(house.deployment(await created(house)))


async def deploy_refused(house: House) -> JobId:
    id = await created(house)
    node(house).plant("build", "*", "refused")
    return await house.ask(house.deployment(id))


async def deploy_that_does_not_start(house: House) -> JobId:
    id = await created(house)
    node(house).plant("observe", "*", "crashed")
    return await house.ask(house.deployment(id))


async def delete(house: House) -> JobId:
    return await house.ask(house.deletion(await created(house)))


async def stray(house: House) -> JobId:
    gear = Gear(gear_id(), app_id(), 7)
    await node(house).create(gear, Lease(WorkerId("gone"), JobId(1), 1))
    return await house.ask(RemoveStray(gear.id, LOCAL))


async def scale_up(house: House) -> JobId:
    return await house.ask(house.scaling(await created(house), to=3))


async def scale_up_refused(house: House) -> JobId:
    """Of three, the last one whose release is copied, wherever it was begun."""
    id = await created(house)
    job = await house.ask(house.scaling(id, to=4))
    third = (await house.broker.store.quotas.reserved(job))[-1]
    node(house).plant("copy", third, "refused")
    return job


async def scale_up_that_does_not_answer(house: House) -> JobId:
    id = await created(house)
    node(house).plant("observe", "*", "crashed")
    return await house.ask(house.scaling(id, to=3))


async def scaled(house: House) -> Any:
    id = await created(house)
    await work(house, job := await house.ask(house.scaling(id, to=3)))
    assert (await house.ended(job)).phase is Phase.COMPLETE
    return id


async def scale_down(house: House) -> JobId:
    return await house.ask(house.scaling(await scaled(house), to=1))


async def scale_up_with_nothing_reserved(house: House) -> JobId:
    """What is reserved at the door counts gears that a job before this one takes away."""
    id = await scaled(house)
    first = await house.ask(house.scaling(id, to=1))
    last = await house.ask(house.scaling(id, to=3))
    await work(house, first)
    return last


async def configure(house: House) -> JobId:
    return await house.ask(house.configuration(await created(house), "/healthz", 90.0))


async def configure_ruined(house: House) -> JobId:
    id = await created(house)
    node(house).plant("serve", "*", "refused")
    return await house.ask(house.configuration(id, "/healthz", 90.0))


async def bound(house: House) -> JobId:
    return await house.ask(house.bounding(await created(house), 2, 4))


async def bound_refused(house: House) -> JobId:
    id = await created(house)
    node(house).plant("install", "*", "refused")
    return await house.ask(house.bounding(id, 2, 4))


async def deploy_to_three(house: House) -> JobId:
    return await house.ask(house.deployment(await scaled(house)))


async def deploy_to_three_refused(house: House) -> JobId:
    id = await scaled(house)
    last = (await house.broker.store.fleet.gears(id))[-1]
    node(house).plant("copy", last.gear.id, "refused")
    return await house.ask(house.deployment(id))


async def add_alias(house: House) -> JobId:
    return await house.ask(house.alias(await created(house)))


async def add_alias_refused(house: House) -> JobId:
    id = await created(house)
    node(house).plant("publish", "*", "refused")
    return await house.ask(house.alias(id))


async def remove_alias(house: House) -> JobId:
    id = await created(house)
    await work(house, await house.ask(house.alias(id)))
    return await house.ask(RemoveAlias(house.domain.id, id, "blog", house.ALIAS))


async def rename(house: House) -> JobId:
    await created(house)
    return await house.ask(RenameDomain(house.domain.id, "demo", "prod"))


async def rename_refused(house: House) -> JobId:
    await created(house)
    node(house).plant("publish", "*", "refused", 1)
    return await house.ask(RenameDomain(house.domain.id, "demo", "prod"))


async def stop_full(house: House) -> JobId:
    return await house.ask(StopFull(house.domain.id, await created(house), "blog"))


async def with_variables(house: House) -> Any:
    id = await created(house)
    await work(house, job := await house.ask(await house.setting(id, OLD="1", GONE="2")))
    assert (await house.ended(job)).phase is Phase.COMPLETE
    return id


async def set_variables(house: House) -> JobId:
    id = await with_variables(house)
    return await house.ask(await house.setting(id, OLD="3", GONE=None, NEW="4"))


async def set_variables_refused(house: House) -> JobId:
    """By every gear, for as long as the new one is among them."""
    id = await with_variables(house)
    await work(house, await house.ask(house.scaling(id, to=2)))
    node(house).plant("publish", "NEW", "refused")
    return await house.ask(await house.setting(id, OLD="3", GONE=None, NEW="4"))


async def set_variables_ruined(house: House) -> JobId:
    """A gear that will not be told what was before, either."""
    id = await with_variables(house)
    node(house).plant("publish", "*", "refused")
    return await house.ask(await house.setting(id, OLD="3", GONE=None, NEW="4"))


SCENARIOS = {
    "add alias": (add_alias, {Phase.COMPLETE}),
    "add alias refused": (add_alias_refused, {Phase.BURIED}),
    "remove alias": (remove_alias, {Phase.COMPLETE}),
    "rename": (rename, {Phase.COMPLETE}),
    "rename refused": (rename_refused, {Phase.FAILED, Phase.COMPLETE}),
    "stop full": (stop_full, {Phase.COMPLETE}),
    "set variables": (set_variables, {Phase.COMPLETE}),
    "set variables refused": (set_variables_refused, {Phase.FAILED}),
    "set variables ruined": (set_variables_ruined, {Phase.BURIED}),
    "scale up": (scale_up, {Phase.COMPLETE}),
    "scale up refused": (scale_up_refused, {Phase.FAILED}),
    "scale up that does not answer": (scale_up_that_does_not_answer, {Phase.FAILED}),
    "scale up with nothing reserved": (scale_up_with_nothing_reserved, {Phase.COMPLETE}),
    "scale down": (scale_down, {Phase.COMPLETE}),
    "configure": (configure, {Phase.COMPLETE}),
    "configure ruined": (configure_ruined, {Phase.BURIED}),
    "bound": (bound, {Phase.COMPLETE}),
    "bound refused": (bound_refused, {Phase.FAILED}),
    "deploy to three": (deploy_to_three, {Phase.COMPLETE}),
    "deploy to three refused": (deploy_to_three_refused, {Phase.FAILED}),
    "create": (create, {Phase.COMPLETE}),
    "create refused": (create_refused, {Phase.FAILED}),
    "create ruined": (create_ruined, {Phase.BURIED}),
    "stop": (event("stop"), {Phase.COMPLETE}),
    "start": (start, {Phase.COMPLETE}),
    "restart": (event("restart"), {Phase.COMPLETE}),
    "reload": (event("reload"), {Phase.COMPLETE}),
    "reload refused": (reload_refused, {Phase.FAILED}),
    "thread dump": (event("thread-dump"), {Phase.COMPLETE}),
    "force stop": (event("force-stop"), {Phase.COMPLETE}),
    "tidy": (event("tidy"), {Phase.COMPLETE}),
    "restart that does not answer": (restart_that_does_not_answer, {Phase.FAILED}),
    "deploy": (deploy, {Phase.COMPLETE}),
    "deploy refused": (deploy_refused, {Phase.FAILED}),
    "deploy that does not start": (deploy_that_does_not_start, {Phase.FAILED}),
    "delete": (delete, {Phase.COMPLETE}),
    "remove a stray": (stray, {Phase.COMPLETE}),
}
