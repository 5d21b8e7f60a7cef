"""Housekeeping on nodes: what is nobody's goes, and who has filled a shared disk stops."""

import asyncio
import random

import structlog

from windlass.broker import Broker
from windlass.engine.job import Asker, Request
from windlass.model.applications import Application, AppState
from windlass.model.ids import GearId
from windlass.operations.lifecycle import StopFull
from windlass.operations.strays import KEEPER, Stray, tidy

PAUSE = 60.0  # seconds between looks, about: several workers may look

log = structlog.get_logger()


async def keep_tidy(broker: Broker) -> None:
    """Look again and again, until cancelled; what cannot be done keeps nothing else from it."""
    before: set[Stray] = set()
    while True:
        await asyncio.sleep(PAUSE * random.uniform(0.8, 1.2))
        try:
            before = await tidy(broker, before)
        except Exception as error:
            log.warning("strays.unseen", why=str(error))
        for part in (sweep, stop_full):
            try:
                await part(broker)
            except Exception as error:  # of any kind: one gear's doing must not end this for all
                log.warning("nodes.untidy", part=part.__name__, why=str(error))


async def sweep(broker: Broker) -> None:
    """Let every node take away what its gears have left."""
    for id, node in broker.nodes.items():
        for gone in await node.sweep():
            log.warning("node.swept", node=id, gone=gone)


async def stop_full(broker: Broker) -> None:
    """Ask for a stop of every application that runs and has filled more than it may."""
    asked = {data["application"] for data in await broker.store.jobs.open(StopFull.kind)}
    for node in broker.nodes.values():
        for gear in sorted(await node.over()):
            application = await owner(broker, gear)
            if application is not None and application.id not in asked:
                asked.add(application.id)
                log.warning("gear.full", gear=gear, application=application.id)
                await broker.submit(request(application))


async def owner(broker: Broker, gear: GearId) -> Application | None:
    """The application that the gear belongs to, if it runs."""
    housed = await broker.store.fleet.gear(gear)
    if housed is None:
        return None
    application = await broker.store.applications.get(housed.gear.application)
    runs = application is not None and application.state is AppState.STARTED
    return application if runs else None


def request(application: Application) -> Request:
    """The stop, as its owner will see it."""
    name = f"{application.name} in {application.domain_name}"
    subject = {
        "domain": application.domain_name,
        "domain_id": application.domain,
        "application": application.name,
        "application_id": application.id,
    }
    operation = StopFull(application.domain, application.id, name)
    return Request(operation, application.owner, Asker(KEEPER), subject)
