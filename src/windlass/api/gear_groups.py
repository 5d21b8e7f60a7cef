"""The gears of an application, as OpenShift grouped them: here all of them are one group."""

from litestar import Response, get

from windlass.api import wire
from windlass.api.answers import json_answer
from windlass.api.applications import MEMBER, application_of
from windlass.api.looking import look
from windlass.api.paging import short_page
from windlass.api.requests import Asked
from windlass.errors import NotFound
from windlass.model.applications import Application
from windlass.model.gears import Gear, GearReport, InstanceState
from windlass.model.sizes import GIB, size_of

GROUP = [
    f"{path}/{name}/{{group:str}}" for path in MEMBER for name in ("gear_group", "gear_groups")
]


@get([path + "/gear_groups" for path in MEMBER])
async def list_gear_groups(request: Asked) -> Response[bytes]:
    """An application's gears: one group of them."""
    return await listed(request)


# In the schema both spellings would have the same name.
@get([path + "/gear-groups" for path in MEMBER], include_in_schema=False)
async def list_dashed_gear_groups(request: Asked) -> Response[bytes]:
    """The same, as OpenShift also spelled it."""
    return await listed(request)


async def listed(request: Asked) -> Response[bytes]:
    """The one group."""
    return short_page(request, [await group_of(request, await application_of(request))])


@get(GROUP)
async def show_gear_group(request: Asked) -> Response[bytes]:
    """An application's gears; the group has the application's id."""
    application = await application_of(request)
    if request.names("group") != application.id:
        raise NotFound(f"{application.name} has one group of gears, {application.id}", code=101)
    return json_answer(await group_of(request, application))


async def group_of(request: Asked, application: Application) -> wire.Json:
    """The gears as they are now."""
    broker = request.front.broker
    gears = await broker.store.fleet.gears(application.id)
    seen = await look(broker, gears)
    known = broker.catalog.cartridges.get(application.cartridge)
    shown = {
        "name": application.cartridge,
        "display_name": known.display_name if known else application.cartridge,
    }
    return {
        "id": application.id,
        "name": application.name,
        "gear_profile": application.size,
        "scales_from": application.scales_from,
        "scales_to": application.scales_to,
        "base_gear_storage": size_of(application.size).disk // GIB,
        "additional_gear_storage": 0,
        "cartridges": [shown],
        "gears": [gear(one.gear, seen.get(one.gear.id)) for one in gears],
    }


def gear(one: Gear, report: GearReport | None) -> wire.Json:
    """A gear, and how it is."""
    place = report.place if report else None
    return {
        "id": one.id,
        "state": state_of(report),
        "size": one.size.name,
        "address": place.address if place else None,
        "memory": {"used": report.memory if report else None, "most": one.size.memory},
        "disk": {"used": report.disk if report else None, "most": one.size.disk},
        "kills": report.kills if report else 0,
        "instances": [wire.instance(each) for each in report.instances] if report else [],
    }


def state_of(report: GearReport | None) -> str:
    """What a gear is up to, in OpenShift's words where it had any."""
    if report is None:
        return "unknown"
    if not report.releases:
        return "new"
    states = {one.state for one in report.instances}
    if InstanceState.UP in states:
        return "started"
    if InstanceState.STARTING in states:
        return "starting"
    return "crashed" if states else "stopped"
