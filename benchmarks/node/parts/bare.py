"""A bare proxy: `bare.py PORT UPSTREAM`. An aiohttp server, a client session, and nothing else."""

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host"}


async def main(port: int, upstream: str) -> None:
    """Pass everything on, streaming both ways."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            async with session.request(
                request.method,
                f"http://{upstream}{request.raw_path}",
                headers=[
                    one for one in request.headers.items() if one[0].lower() not in HOP_BY_HOP
                ],
                data=request.content if request.body_exists else None,
                allow_redirects=False,
            ) as got:
                kept = [one for one in got.headers.items() if one[0].lower() not in HOP_BY_HOP]
                response = web.StreamResponse(status=got.status, headers=kept)
                await response.prepare(request)
                async for chunk in got.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
