"""`windlassd workers`: who works, and on what."""

import asyncio
import time

from windlass.app import check
from windlass.daemon.options import STORE, takes
from windlass.daemon.say import say
from windlass.daemon.standing import as_it_stands
from windlass.settings import Settings
from windlass.store import schema
from windlass.store.access import Access
from windlass.store.crew import Aboard, Crews
from windlass.store.database import Database

HEAD = ("WORKER", "HOST", "PROCESS", "SINCE", "SLOTS", "TUBES", "JOBS")
SHOWN = 8  # jobs of a worker that are named


@takes(*STORE)
def workers(settings: Settings) -> None:
    """Tell who works, and on what; and what waits for somebody who can do it."""
    crew, unable = asyncio.run(looked(as_it_stands(settings)))
    rows = [HEAD, *(row(one) for one in crew)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows if crew else ():
        say(
            "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        )
    if not crew:
        say("No worker is there; `windlassd up` or `windlassd work` starts one.")
    for one in unable:
        say(f"Jobs wait for {one}, and no worker here has it.")


async def looked(settings: Settings) -> tuple[list[Aboard], list[str]]:
    """What the datastore knows of them."""
    check(await schema.state(settings.database_url))
    database = Database(settings.database_url)
    try:
        crews = Crews(Access(database))
        return await crews.all(), await crews.unable()
    finally:
        await database.close()


def row(one: Aboard) -> tuple[str, ...]:
    """A worker's line."""
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.since))
    named = ", ".join(map(str, one.jobs[:SHOWN])) or "-"
    more = f" and {len(one.jobs) - SHOWN} more" if len(one.jobs) > SHOWN else ""
    slots = f"{len(one.jobs)}/{one.slots}"
    return one.id, one.host, str(one.pid), since, slots, ",".join(one.tubes), named + more
