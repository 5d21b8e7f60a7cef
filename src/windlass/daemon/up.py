"""`windlassd up`: everything, with one command."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from windlass.app import check, node_of
from windlass.daemon import supervision
from windlass.daemon.checks import refuse_trouble
from windlass.daemon.family import Family
from windlass.daemon.logs import start_logging
from windlass.daemon.migrate import migrated, refuse_newer
from windlass.daemon.options import environment_of, takes
from windlass.daemon.ready import api_answers, router_answers
from windlass.daemon.say import say, warn
from windlass.daemon.signals import Stop, first_of
from windlass.daemon.standing import Process, Standing, alone
from windlass.daemon.welcome import ADMIN_PASSWORD, greet, welcome
from windlass.errors import Transient, WindlassError
from windlass.folders import make_data_folder, make_run_folder
from windlass.model.accounts import check_password
from windlass.nodes.local.node import LocalNode
from windlass.plugins import backend
from windlass.settings import Settings
from windlass.store import schema

OLD_LOG = 10_000_000  # bytes; a longer log is put aside when `up` starts
ROUTER_PATIENCE = 60.0  # seconds; without a router all but the applications works
GOODBYE = "applications keep running; `windlassd down` stops them"


@takes()
def up(settings: Settings) -> None:
    """Start everything; on the first start make the user admin and a first application."""
    start_logging("up")
    asyncio.run(rise(settings))


async def rise(settings: Settings) -> None:
    """Look, prepare, start, and stay until told to stop."""
    # Taken out, so that no process that we start gets to see it.
    password = os.environ.pop(ADMIN_PASSWORD, None)
    if password:
        check_password(password)
    stop = Stop.on_signals()
    refuse_trouble(settings, await supervision.routed(settings))
    for group, url in (("windlass.queues", settings.queue), ("windlass.nodes", settings.node)):
        backend(group, url)  # or each part would say by itself that nobody speaks it
    await refuse_datastore(settings)
    make_data_folder(settings.data)
    with alone(settings.data):
        standing = Standing(settings, Process.of(os.getpid()))
        standing.write()  # now, so that `down` finds us while we prepare
        try:
            await prepare(settings)
            if not stop.asked.is_set():
                await stay(standing, stop, password)
        finally:
            Standing(settings).write()


async def refuse_datastore(settings: Settings) -> None:
    """Raise Refused if the datastore is not for us; an older file will be migrated."""
    if schema.is_sqlite(settings.database_url):
        await refuse_newer(settings)
    else:
        # A server is shared: nobody's start may change what others work on.
        check(await schema.state(settings.database_url))


async def prepare(settings: Settings) -> None:
    """What must be there before the first process starts."""
    first = not (settings.data / "shared").exists()
    say("Starting windlass" + ("; the first time takes a little longer." if first else "."))
    make_run_folder(settings.data)
    if schema.is_sqlite(settings.database_url):
        await migrated(settings)
    await start_gears(settings)


async def start_gears(settings: Settings) -> None:
    """What gears stand on, the supervisor, and with it the router and the instances."""
    await prepare_node(settings)
    await supervision.start(settings)


async def keep_gears(settings: Settings) -> None:
    """Start all that again whenever the supervisor has died."""
    while True:
        await supervision.await_end(settings)
        warn("the supervisor of the gears has died; it is started again")
        try:
            await start_gears(settings)
        except WindlassError as error:
            warn(str(error))


async def prepare_node(settings: Settings) -> None:
    """What gears share is fetched before the first needs it; without a network, later."""
    node = node_of(settings)
    try:
        if isinstance(node, LocalNode):
            await node.start()
            await node.prepare()
    except Transient as error:
        warn(str(error))
    finally:
        await node.close()


async def stay(standing: Standing, stop: Stop, password: str | None) -> None:
    """Run the children until told to stop, or until one of them cannot live."""
    settings = standing.settings
    with log_of_children(settings.data) as out:

        def changed(children: Mapping[str, Process]) -> None:
            replace(standing, children=children).write()

        family = Family(verbs(settings), {**os.environ, **environment_of(settings)}, out, changed)
        try:
            await first_of(
                stop.asked.wait(),
                family.keep(),
                keep_gears(settings),
                live(settings, password),
            )
        finally:
            await farewell(family, stop)


async def live(settings: Settings, password: str | None) -> None:
    """Greet once all answers, and stay."""
    for part in await api_answers(settings):
        warn(f"the {part} is away; jobs are accepted and run all the same, a little later")
    try:
        await asyncio.wait_for(router_answers(settings), ROUTER_PATIENCE)
    except TimeoutError:
        warn(f"the router does not answer; {supervision.log_of(settings)} says why")
    greet(settings, first=await welcome(settings, password))
    await asyncio.Event().wait()


async def farewell(family: Family, stop: Stop) -> None:
    """End the children in good order, and say what goes on without them."""
    if family.living():
        say("", "Stopping: what the workers do is finished first; Ctrl-C again stops now.")
    await family.end(stop.now)
    say(f"The broker is stopped: {GOODBYE}.")


def verbs(settings: Settings) -> dict[str, str]:
    """The children's names, and the verb that each runs."""
    workers = {f"worker-{number}": "work" for number in range(1, settings.workers + 1)}
    return {"api": "serve", **workers}


@contextmanager
def log_of_children(data: Path) -> Iterator[IO[bytes] | None]:
    """Where the children write: to our stderr or, where a person reads that, to a file."""
    if not sys.stderr.isatty():
        yield None
        return
    path = data / "broker.log"
    if path.exists() and path.stat().st_size > OLD_LOG:
        path.replace(path.with_suffix(".log.old"))
    path.touch(mode=0o600)
    with path.open("ab") as file:
        yield file
