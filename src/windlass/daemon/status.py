"""`windlassd status`: what runs."""

import asyncio
import sys

import httpx

from windlass.daemon.options import DATA, takes
from windlass.daemon.ready import local_url, missing
from windlass.daemon.say import say
from windlass.daemon.standing import Standing
from windlass.daemon.supervision import ROUTER, counted, instances, lives, supervisor_of
from windlass.settings import Settings

Row = tuple[str, str, str]  # what, how it is, what there is to say
RUNS, ILL, STOPPED = "runs", "ill", "stopped"


@takes(*DATA)
def status(settings: Settings) -> None:
    """Tell what runs; the exit code is 0 if all does that should."""
    rows = asyncio.run(looked(settings))
    width = max(len(name) for name, _, _ in rows)
    say(*(f"{name:{width}}  {how:7}  {note}".rstrip() for name, how, note in rows))
    sys.exit(0 if all(how == RUNS for _, how, _ in rows) else 1)


async def looked(settings: Settings) -> list[Row]:
    """A row for each part, as `up` was told to run it."""
    standing = Standing.read(settings.data)
    if standing is None:
        return [("broker", STOPPED, f"`windlassd up` never ran on {settings.data}")]
    return [*await of_broker(standing), *await of_supervisor(standing.settings)]


async def of_broker(standing: Standing) -> list[Row]:
    """The broker's processes."""
    settings, up = standing.settings, standing.up
    if up is None or not up.alive:
        return [("broker", STOPPED, f"data in {settings.data}; `windlassd up` starts it")]
    rows = [("broker", RUNS, f"process {up.pid}, data in {settings.data}"), await of_api(settings)]
    for name in sorted(f"worker-{number}" for number in range(1, settings.workers + 1)):
        child = standing.children.get(name)
        alive = child is not None and child.alive
        rows.append((name, runs(alive), f"process {child.pid}" if child and alive else ""))
    return rows


async def of_api(settings: Settings) -> Row:
    """The API, and what it misses."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        away = await missing(client, settings)
    if away:
        return ("api", ILL, f"{local_url(settings)}; away: {', '.join(away)}")
    return ("api", runs(away is not None), local_url(settings))


def runs(whether: bool) -> str:
    """A part that can only run or not."""
    return RUNS if whether else STOPPED


async def of_supervisor(settings: Settings) -> list[Row]:
    """What outlives the broker."""
    supervisor = supervisor_of(settings)
    pid = await supervisor.off(supervisor.pid)
    if pid is None:
        return [("supervisor", STOPPED, "and no application with it")]
    states = await supervisor.states()
    router = states.get(ROUTER)
    count = counted(len(instances(states)), "process", "processes")
    return [
        ("supervisor", RUNS, f"process {pid}"),
        (ROUTER, runs(router is not None and lives(router)), f"http://{settings.apps}"),
        ("gears", RUNS, f"{count} of applications"),
    ]
