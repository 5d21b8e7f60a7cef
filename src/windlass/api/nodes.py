"""Verbs on nodes: what each gear has for itself there, and what it shares."""

from litestar import Response, get

from windlass.api import wire
from windlass.api.answers import json_answer
from windlass.api.paging import short_page
from windlass.api.requests import Asked
from windlass.errors import NotFound
from windlass.model.ids import NodeId


@get("/nodes")
async def list_nodes(request: Asked) -> Response[bytes]:
    """The nodes that gears are put on."""
    return short_page(request, [await shown(request, id) for id in request.front.broker.nodes])


@get(["/nodes/{id:str}", "/node/{id:str}"])
async def show_node(request: Asked) -> Response[bytes]:
    """A node."""
    id = NodeId(request.names("id"))
    if id not in request.front.broker.nodes:
        raise NotFound(f"there is no node {id[:64]}")
    return json_answer(await shown(request, id))


async def shown(request: Asked, id: NodeId) -> wire.Json:
    """A node with the number of its gears."""
    broker = request.front.broker
    gears = await broker.store.fleet.on_node(id)
    return wire.node(id, len(gears), await broker.nodes[id].isolation(), request.front.urls)
