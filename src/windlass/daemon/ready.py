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


async def api_answers(settings: Settings) -> None:
    """Until the API answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        await until(lambda: healthy(client, settings))


async def healthy(client: httpx.AsyncClient, settings: Settings) -> bool:
    """Whether the API answers now."""
    try:
        return (await client.get(f"{local_url(settings)}/health")).is_success
    except httpx.HTTPError:
        return False


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
