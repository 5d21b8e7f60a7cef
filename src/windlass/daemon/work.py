"""`windlassd work`: one worker, in the foreground."""

import asyncio

from windlass.app import open_broker, worker_of
from windlass.daemon.logs import start_logging
from windlass.daemon.options import takes
from windlass.daemon.signals import WISHES
from windlass.settings import Settings


@takes()
def work(settings: Settings) -> None:
    """Work on jobs until told to stop."""
    start_logging("worker")
    asyncio.run(working(settings))


async def working(settings: Settings) -> None:
    """Work; a signal lets steps end, a second one ends them."""
    broker = await open_broker(settings)
    try:
        worker = worker_of(broker, settings)
        for number in WISHES:
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        await worker.run()
    finally:
        await broker.close()
