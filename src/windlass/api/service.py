"""The service itself: what answers here, and the description of all that it understands."""

import msgspec
from litestar import Response, get

from windlass.api.answers import json_answer
from windlass.api.auth import OPEN
from windlass.api.requests import Asked
from windlass.api.versions import VERSIONS
from windlass.api.wire import VERSION

LINKS = ("user", "cartridges", "domains", "applications", "jobs", "schema")


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
    content = msgspec.json.encode(request.app.openapi_schema.to_schema())
    media = "application/vnd.oai.openapi+json"
    return Response(content, media_type=media)
