"""`windlassd route`: the router, in the foreground; supervised, it outlives `up`."""

import asyncio

import structlog

from windlass.app import routes_of
from windlass.daemon.checks import port_free, refuse
from windlass.daemon.logs import start_logging
from windlass.daemon.options import takes
from windlass.daemon.signals import Stop
from windlass.gateway.router import Router
from windlass.settings import Settings, address

log = structlog.get_logger()


@takes("data", "database", "apps", "apps_domain", "node", "trusted_proxies")
def route(settings: Settings) -> None:
    """Route the applications' traffic until told to stop."""
    start_logging("router")
    asyncio.run(routing(settings))


async def routing(settings: Settings) -> None:
    """Route until a signal comes."""
    refuse(port_free(settings.apps, "apps"))
    stop = Stop.on_signals()
    host, port = address(settings.apps, "--apps")
    router = Router(routes_of(settings), host, port)
    await router.run(stop.asked, lambda: log.info("router.ready", listen=settings.apps))
