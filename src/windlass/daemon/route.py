"""`windlassd route`: the router, in the foreground; supervised, it outlives `up`."""

import structlog

from windlass.app import routes_of
from windlass.daemon.checks import why_not
from windlass.daemon.logs import start_logging
from windlass.daemon.loops import run_for_long
from windlass.daemon.options import takes
from windlass.daemon.signals import Stop
from windlass.errors import Refused
from windlass.gateway.router import Router
from windlass.settings import Settings, address

log = structlog.get_logger()


@takes("data", "database", "apps", "apps_domain", "node", "trusted_proxies")
def route(settings: Settings) -> None:
    """Route the applications' traffic until told to stop."""
    start_logging("router")
    run_for_long(routing(settings))


async def routing(settings: Settings) -> None:
    """Route until a signal comes."""
    stop = Stop.on_signals()
    host, port = address(settings.apps, "--apps")
    routes = routes_of(settings)
    try:
        await Router(routes, host, port).run(
            stop.asked, lambda: log.info("router.ready", listen=settings.apps)
        )
    except OSError as error:
        raise Refused(why_not(settings.apps, error)) from None
    finally:
        await routes.close()
