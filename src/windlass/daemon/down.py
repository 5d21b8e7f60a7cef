"""`windlassd down`: stop everything, and leave no process."""

import asyncio
import signal
import time
from collections.abc import Callable

from windlass.app import node_of
from windlass.daemon import supervision
from windlass.daemon.options import DATA, takes
from windlass.daemon.say import say
from windlass.daemon.standing import Standing, alone
from windlass.daemon.supervision import counted
from windlass.errors import Refused
from windlass.folders import remove_run_folder
from windlass.nodes.local.node import LocalNode
from windlass.settings import Settings

PATIENCE = 45.0  # seconds that a broker has to finish what it does; then it must go
LOOK = 0.1  # seconds between looks


@takes(*DATA)
def down(settings: Settings) -> None:
    """Stop the broker and all applications; `up` starts them again."""
    say(*asyncio.run(taken_down(settings)) or ["Nothing was running."])


async def taken_down(settings: Settings) -> list[str]:
    """Stop what runs on this data folder, and say what that was."""
    standing = Standing.read(settings.data)
    if standing is None:
        return []
    done = stop_broker(standing)
    with alone(settings.data):
        for child in standing.children.values():
            child.signal(signal.SIGKILL)  # of an `up` that was killed
        done += await supervision.stop(standing.settings)
        await strike(standing.settings)
        remove_run_folder(settings.data)
        Standing(standing.settings).write()
    return done


async def strike(settings: Settings) -> None:
    """Leave no namespace, mount, rule or control group of a gear."""
    node = node_of(settings)
    try:
        if isinstance(node, LocalNode):
            await node.strike()
    finally:
        await node.close()


def stop_broker(standing: Standing) -> list[str]:
    """Tell a running `up` to stop, ever more plainly, until it is gone."""
    if standing.up is None or not standing.up.alive:
        return []
    for number, patience in (
        (signal.SIGTERM, PATIENCE),
        (signal.SIGTERM, 10),
        (signal.SIGKILL, 10),
    ):
        standing.up.signal(number)
        if wait_until(lambda: not standing.runs, patience):
            workers = sum(name.startswith("worker") for name in standing.children)
            return [f"Stopped the broker: the API and {counted(workers, 'worker', 'workers')}."]
    raise Refused(f"the broker (process {standing.up.pid}) does not end")


def wait_until(happened: Callable[[], bool], patience: float) -> bool:
    """Look until it has happened, or patience is at its end."""
    end = time.monotonic() + patience
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(LOOK)
    return True
