"""Puts the house together from settings; nobody else names a concrete backend."""

import os
import socket

from windlass.broker import Broker
from windlass.catalog import Catalog
from windlass.engine.journal import Crew
from windlass.engine.keeper import Retention
from windlass.engine.known import skills
from windlass.engine.lease import WorkerId
from windlass.engine.operation import Operation
from windlass.engine.worker import Worker
from windlass.errors import Refused
from windlass.folders import run_folder
from windlass.hook import CommandHooks
from windlass.model.ids import NodeId, new_id
from windlass.model.routes import Routes
from windlass.nodes.node import Node
from windlass.nodes.setting import NodeSetting
from windlass.operations import (
    actions,
    aliases,
    applications,
    domains,
    health,
    lifecycle,
    releases,
    scaling,
    strays,
    variables,
)
from windlass.plugins import backend
from windlass.settings import Settings
from windlass.store.beats import beats_at
from windlass.store.database import Database
from windlass.store.journal import SqlJournal
from windlass.store.routing import StoredRoutes
from windlass.store.schema import State, state
from windlass.store.store import Store

# Importing them makes their kinds known.
OPERATIONS = (
    actions,
    aliases,
    applications,
    domains,
    health,
    lifecycle,
    releases,
    scaling,
    strays,
    variables,
)
LOCAL = NodeId("local")
HOUR, DAY = 3600.0, 86_400.0  # seconds


async def open_broker(settings: Settings, database: Database | None = None) -> Broker:
    """The broker on its datastore; Refused if the schema is not the one we need."""
    check(await state(settings.database_url))
    database = database or Database(settings.database_url)
    archives = settings.data / "archives"
    archives.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Broker(
        store=Store(database),
        journal=SqlJournal(database),
        queue=backend("windlass.queues", settings.queue)(settings.queue, database),
        nodes={LOCAL: node_of(settings)},
        catalog=Catalog.read(settings.cartridges),
        apps_domain=settings.apps_domain,
        archives=archives,
        hooks=CommandHooks(settings.hook) if settings.hook else None,
    )


MIGRATE = "run `windlassd migrate` with the same --data and --database"


def check(found: State) -> None:
    """Refused, with what to do, unless the schema is current."""
    if found is State.NEWER:
        raise Refused("the database was written by a newer windlass; install that one")
    if found is State.EMPTY:
        raise Refused(f"the database has no tables yet; {MIGRATE}")
    if found is not State.CURRENT:
        raise Refused(f"the database is older than this windlass; {MIGRATE}")


def node_of(settings: Settings) -> Node:
    """The node that the settings name."""
    setting = node_setting(settings)
    node: Node = backend("windlass.nodes", settings.node)(settings.node, setting)
    return node


def node_setting(settings: Settings) -> NodeSetting:
    """What a node is told of the settings."""
    return NodeSetting(
        data=settings.data,
        run=run_folder(settings.data),
        sandbox=not settings.insecure_no_sandbox,
        build_env=settings.build_env,
        share=settings.share,
        network=settings.gear_network,
    )


def worker_of(broker: Broker, settings: Settings) -> Worker:
    """A worker for this process."""
    able = skills(Operation) | {f"node:{id}" for id in broker.nodes}
    crew = Crew(
        id=WorkerId(new_id("w")),
        host=socket.gethostname(),
        pid=os.getpid(),
        slots=settings.slots,
        tubes=tuple(settings.shares),
        skills=frozenset(able),
    )

    return Worker(
        broker.journal,
        broker.queue,
        broker,
        crew,
        beats_at(settings.database_url),
        weights=settings.shares,
        retention=Retention(settings.keep_steps * HOUR, settings.keep_jobs * DAY),
        recycle=settings.recycle,
        hooks=broker.hooks,
    )


def routes_of(settings: Settings) -> Routes:
    """What a router reads."""
    return StoredRoutes(Database(settings.database_url))
