"""`windlassd work`: one worker, in the foreground."""

import asyncio
import os
import signal

import structlog

from windlass.app import open_broker, worker_of
from windlass.daemon.logs import start_logging
from windlass.daemon.loops import run_for_long
from windlass.daemon.options import takes
from windlass.daemon.signals import Stop
from windlass.daemon.standing import as_it_stands
from windlass.daemon.tidying import keep_tidy
from windlass.engine.worker import Worker
from windlass.settings import Settings

LAST_WORDS = 4.0  # seconds to hand over what we have, once we are to leave now

log = structlog.get_logger()


@takes()
def work(settings: Settings) -> None:
    """Work on jobs until told to stop."""
    start_logging("worker")
    run_for_long(working(as_it_stands(settings)))


async def working(settings: Settings) -> None:
    """Work; a signal lets steps end, a second one ends them."""
    broker = await open_broker(settings)
    try:
        worker = worker_of(broker, settings)
        tidying = asyncio.ensure_future(keep_tidy(broker))
        obeying = asyncio.ensure_future(obey(worker, Stop.on_signals()))
        # As a Resque worker does: one may let a worker rest without losing what it has in hand.
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, worker.pause)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCONT, worker.resume)
        await worker.run()
        tidying.cancel()
    finally:
        await broker.close()
    obeying.cancel()


async def obey(worker: Worker, stop: Stop) -> None:
    """Pass our wishes on; whoever cannot end even now, others will find dead."""
    await stop.asked.wait()
    worker.stop()
    await stop.now.wait()
    worker.stop()
    await asyncio.sleep(LAST_WORDS)
    log.critical("worker.cut_short", worker=worker.crew.id)
    os._exit(os.EX_TEMPFAIL)  # the datastore is away, perhaps for good
