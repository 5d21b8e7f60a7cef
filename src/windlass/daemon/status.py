"""`windlassd status`: what runs."""

import asyncio
import sys

import httpx

from windlass.daemon.options import DATA, takes
from windlass.daemon.ready import healthy, local_url
from windlass.daemon.say import say
from windlass.daemon.standing import Standing
from windlass.daemon.supervision import ROUTER, counted, instances, lives, supervisor_of
from windlass.settings import Settings

Row = tuple[str, bool, str]  # what, whether it runs, what there is to say


@takes(*DATA)
def status(settings: Settings) -> None:
    """Tell what runs; the exit code is 0 if all does that should."""
    rows = asyncio.run(looked(settings))
    width = max(len(name) for name, _, _ in rows)
    say(
        *(
            f"{name:{width}}  {'runs' if up else 'stopped':7}  {note}".rstrip()
            for name, up, note in rows
        )
    )
    sys.exit(0 if all(up for _, up, _ in rows) else 1)


async def looked(settings: Settings) -> list[Row]:
    """A row for each part, as `up` was told to run it."""
    standing = Standing.read(settings.data)
    if standing is None:
        return [("broker", False, f"`windlassd up` never ran on {settings.data}")]
    return [*await of_broker(standing), *await of_supervisor(standing.settings)]


async def of_broker(standing: Standing) -> list[Row]:
    """The broker's processes."""
    settings, up = standing.settings, standing.up
    if up is None or not up.alive:
        return [("broker", False, f"data in {settings.data}; `windlassd up` starts it")]
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        answers = await healthy(client, settings)
    rows = [("broker", True, f"process {up.pid}, data in {settings.data}")]
    rows.append(("api", answers, local_url(settings)))
    for name in sorted(f"worker-{number}" for number in range(1, settings.workers + 1)):
        child = standing.children.get(name)
        alive = child is not None and child.alive
        rows.append((name, alive, f"process {child.pid}" if child and alive else ""))
    return rows


async def of_supervisor(settings: Settings) -> list[Row]:
    """What outlives the broker."""
    supervisor = supervisor_of(settings)
    pid = await supervisor.off(supervisor.pid)
    if pid is None:
        return [("supervisor", False, "and no application with it")]
    states = await supervisor.states()
    router = states.get(ROUTER)
    count = counted(len(instances(states)), "process", "processes")
    return [
        ("supervisor", True, f"process {pid}"),
        (ROUTER, router is not None and lives(router), f"http://{settings.apps}"),
        ("gears", True, f"{count} of applications"),
    ]
