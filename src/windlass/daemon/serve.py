"""`windlassd serve`: the API, in the foreground."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from windlass.api.app import build
from windlass.app import open_broker
from windlass.daemon.checks import port_free, refuse
from windlass.daemon.logs import start_logging
from windlass.daemon.loops import run_for_long
from windlass.daemon.options import takes
from windlass.daemon.signals import Stop
from windlass.daemon.standing import as_it_stands
from windlass.settings import Settings, address

LINGER = 3  # seconds that open streams have to end


@takes()
def serve(settings: Settings) -> None:
    """Serve the API until told to stop."""
    start_logging("api")
    run_for_long(serving(as_it_stands(settings)))


async def serving(settings: Settings) -> None:
    """Serve; a signal ends it gently, a second one at once."""
    stop = Stop.on_signals()
    refuse(port_free(settings.listen, "listen"))
    broker = await open_broker(settings)
    try:
        server = Server(config_of(settings, build(broker, settings)))
        obeying = asyncio.ensure_future(server.obey(stop))
        await server.serve()
        obeying.cancel()
    finally:
        await broker.close()


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which would end us before the broker is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us."""
        yield

    async def obey(self, stop: Stop) -> None:
        """Pass our wishes on."""
        await stop.asked.wait()
        self.should_exit = True
        await stop.now.wait()
        self.force_exit = True


def config_of(settings: Settings, app: object) -> uvicorn.Config:
    """What uvicorn is told: no log of its own, and whose X-Forwarded-* it believes."""
    host, port = address(settings.listen, "--listen")
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=LINGER,
    )
