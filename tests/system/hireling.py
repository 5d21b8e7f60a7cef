"""A worker in a process of its own: `hireling.py yard|house DATABASE FOLDER [CONSTANT=SECONDS]`."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.shop import Workshop
from system.house import settings_for
from system.yard import Yard, gate
from windlass.app import LOCAL, open_broker, worker_of
from windlass.engine import pulse
from windlass.engine.worker import Worker
from windlass.nodes.file import FileNode
from windlass.store.database import Database


class Gated(FileNode):
    """A node whose installing can be held up."""

    async def install(self, *what: Any) -> None:
        await gate(self.store.folder, "install")  # type: ignore[attr-defined]
        await super().install(*what)


@asynccontextmanager
async def in_a_yard(url: str, folder: Path) -> AsyncIterator[Worker]:
    workshop = Workshop(Database(url))
    workshop.shop = Yard(folder)  # type: ignore[assignment]
    yield workshop.worker(slots=20)
    await workshop.journal.close()
    await workshop.database.close()


@asynccontextmanager
async def in_a_house(url: str, folder: Path) -> AsyncIterator[Worker]:
    settings = settings_for(folder, url)
    broker = await open_broker(settings)
    node = Gated(settings.node, None)  # type: ignore[arg-type]
    broker = replace(broker, nodes={LOCAL: node})
    yield worker_of(broker, settings)
    await broker.close()


async def main(world: str, url: str, folder: Path) -> None:
    async with {"yard": in_a_yard, "house": in_a_house}[world](url, folder) as worker:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.run()


if __name__ == "__main__":
    for one in sys.argv[4:]:
        name, _, seconds = one.partition("=")
        assert hasattr(pulse, name)
        setattr(pulse, name, float(seconds))
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
