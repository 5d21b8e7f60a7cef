"""The service itself: what answers here, and the description of all that it understands."""

from typing import Any

import msgspec
from litestar import Litestar, Response, get
from litestar.handlers import HTTPRouteHandler

from windlass.api.answers import json_answer
from windlass.api.auth import OPEN
from windlass.api.requests import Asked
from windlass.api.versions import VERSIONS
from windlass.api.wire import VERSION, Json

LINKS = ("user", "cartridges", "nodes", "domains", "applications", "jobs", "schema")
MEDIA = "application/vnd.oai.openapi+json"
REFERENCE = "#/components/schemas/{name}"


@get(["/", "/api"], opt=OPEN)
async def show_service(request: Asked) -> Response[bytes]:
    """What answers here, in which versions, and where to go on."""
    urls = request.front.urls
    return json_answer(
        {
            "name": "windlass",
            "version": VERSION,
            "api_versions": list(VERSIONS),
            "links": {name: urls.to(name) for name in LINKS},
        }
    )


@get("/schema", opt=OPEN, include_in_schema=False)
async def show_schema(request: Asked) -> Response[bytes]:
    """The OpenAPI document."""
    return Response(msgspec.json.encode(described(request.app)), media_type=MEDIA)


def described(app: Litestar) -> Json:
    """The framework's document, with the bodies that our handlers read by themselves."""
    document: Json = app.openapi_schema.to_schema()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for path, method, body in bodies(app):
        (schema,), found = msgspec.json.schema_components([body], ref_template=REFERENCE)
        schemas.update(found)
        content = {"application/json": {"schema": schema}}
        document["paths"][path][method]["requestBody"] = {"required": True, "content": content}
    return document


def bodies(app: Litestar) -> list[tuple[str, str, type[Any]]]:
    """Path, method and body of every handler that names one."""
    return [
        (route.path_format, method.lower(), handler.opt["body"])
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler) and "body" in handler.opt
        for method in sorted(handler.http_methods)
    ]
