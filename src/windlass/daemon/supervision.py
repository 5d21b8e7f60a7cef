"""What outlives `up`: the supervisor, the router and the applications' instances."""

import asyncio
import contextlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

from windlass.daemon.family import daemon_command
from windlass.daemon.options import environment_of
from windlass.daemon.standing import Standing
from windlass.errors import Transient
from windlass.folders import run_folder
from windlass.nodes.local.supervisor import Program, Supervisor
from windlass.nodes.local.supervisor_config import RUNNING, STARTING, Status
from windlass.settings import Settings

ROUTER = "router"
LOOK = 2.0  # seconds between looks whether the supervisor is there
DRAIN = 35  # seconds that the router has to finish what is in flight


def supervisor_of(settings: Settings) -> Supervisor:
    """The supervisor of this data folder, running or not."""
    return Supervisor(settings.data, run_folder(settings.data))


async def start(settings: Settings) -> None:
    """Have the supervisor run, and the router as it should be now."""
    await supervisor_of(settings).add(router_program(settings))


async def await_end(settings: Settings) -> None:
    """Return when the supervisor has died."""
    supervisor = supervisor_of(settings)
    while True:
        await asyncio.sleep(LOOK)
        with contextlib.suppress(Transient):  # it is slow to answer, and so it is there
            if await supervisor.gone():
                return


def router_program(settings: Settings) -> Program:
    """The router as the supervisor runs it; another version is another program."""
    return Program(
        name=ROUTER,
        argv=daemon_command("route"),
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            **environment_of(settings),
            "WINDLASS_VERSION": f"{version('windlass')} {sys.executable}",
        },
        log=settings.data / "router.log",
        stop_seconds=DRAIN,
    )


async def programs(settings: Settings) -> dict[str, Status]:
    """What the supervisor says of its programs; nothing if it does not run."""
    return await supervisor_of(settings).states()


async def routed(settings: Settings) -> bool:
    """Whether our own router, which outlives `up`, has the applications' port."""
    standing = Standing.read(settings.data)
    if standing is None or standing.settings.apps != settings.apps:
        return False
    router = (await programs(settings)).get(ROUTER)
    return router is not None and lives(router)


async def stop(settings: Settings) -> list[str]:
    """Stop the applications, the router and the supervisor, and say what was stopped."""
    supervisor = supervisor_of(settings)
    if not await supervisor.running():
        return []
    states = await supervisor.states()
    running = instances(states)
    await supervisor.shutdown()
    said = f"Stopped {counted(len(running), 'application process', 'application processes')}"
    return [f"{said}, the router and the supervisor." if ROUTER in states else f"{said}."]


def instances(states: dict[str, Status]) -> list[str]:
    """The names of the applications' instances that run."""
    return [name for name, status in states.items() if name != ROUTER and lives(status)]


def lives(status: Status) -> bool:
    """Whether a program runs, or is about to."""
    return status.pid > 1 and status.state in (STARTING, RUNNING)


def counted(number: int, one: str, more: str) -> str:
    """A number and its noun."""
    return f"{number} {one if number == 1 else more}"


def log_of(settings: Settings) -> Path:
    """Where the router writes."""
    return router_program(settings).log
