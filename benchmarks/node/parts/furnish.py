"""A datastore in which one application answers: `furnish.py URL HOST ADDRESS...`."""

import asyncio
import sys

from sqlalchemy import insert

from windlass.store.database import Database
from windlass.store.routers import raise_version
from windlass.store.schema import upgrade
from windlass.store.tables import applications, domains, gears, holds, instances, routes, users


async def main(url: str, host: str, addresses: list[str]) -> None:
    """As creating it would have left the rows that a router reads."""
    await upgrade(url)
    database = Database(url)
    async with database.write() as connection:
        for table, values in rows(host, addresses):
            await connection.execute(insert(table).values(**values))
        await raise_version(connection)
    await database.close()


def rows(host, addresses):  # type: ignore[no-untyped-def]
    """The rows, each with its table."""
    yield (
        users,
        {
            "id": "u1",
            "login": "a",
            "password": "",
            "admin": False,
            "most_domains": 1,
            "most_gears": 1,
            "created": 0,
        },
    )
    for hold, resource in (("h0", "d1"), ("h1", "a1")):
        yield holds, {"key": hold, "resource": resource, "kind": "name", "amount": 1}
    yield domains, {"id": "d1", "hold": "h0", "name": "demo", "owner": "u1", "created": 0}
    yield (
        applications,
        {
            "id": "a1",
            "hold": "h1",
            "domain": "d1",
            "name": "bench",
            "cartridge": "python",
            "state": "started",
            "created": 0,
        },
    )
    for n, address in enumerate(addresses):
        gear = {"id": f"g{n}", "application": "a1", "node": "local", "slot": n, "created": 0}
        yield gears, gear
        yield (
            instances,
            {
                "id": f"i{n}",
                "gear": f"g{n}",
                "release": "r1",
                "wanted": True,
                "address": address,
                "routed": True,
            },
        )
    yield routes, {"host": host, "application": "a1"}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
