"""Verbs on cartridges."""

from litestar import Response, get

from windlass.api import wire
from windlass.api.paging import short_page
from windlass.api.requests import Asked


@get("/cartridges")
async def list_cartridges(request: Asked) -> Response[bytes]:
    """What applications can be made of, and what the machine lacks for it."""
    catalog = request.front.broker.catalog
    found = catalog.cartridges.values()
    return short_page(request, [wire.cartridge(one, catalog) for one in found])
