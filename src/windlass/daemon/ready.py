"""Waiting until what was started answers, and where it answers."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from windlass.settings import Settings, address

LOOK = 0.1  # seconds between looks


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Until it has happened, looking again and again."""
    while True:
        if await happened():
            return
        await asyncio.sleep(LOOK)


async def api_answers(settings: Settings) -> list[str]:
    """Until the API answers and has its database; what else is away."""
    away: list[str] = []

    async def there() -> bool:
        found = await missing(client, settings)
        away[:] = found or []
        return found is not None and "database" not in found

    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        await until(there)
    return away


async def missing(client: httpx.AsyncClient, settings: Settings) -> list[str] | None:
    """What the API says is away (`database`, `queue`); None if it does not answer now."""
    try:
        told = (await client.get(f"{local_url(settings)}/health")).json()
        return [part for part in ("database", "queue") if told[part] != "ok"]
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None


async def router_answers(settings: Settings) -> None:
    """Until the router listens."""
    await until(lambda: listens(settings.apps))


async def listens(where: str) -> bool:
    """Whether somebody listens there."""
    host, port = reachable(where)
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def local_url(settings: Settings) -> str:
    """The API's URL from this machine, with no proxy in between."""
    host, port = reachable(settings.listen)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reachable(where: str) -> tuple[str, int]:
    """An address to connect to, for one to listen on."""
    host, port = address(where, "the address")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port
