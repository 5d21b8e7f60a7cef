"""`windlassd user`: what the operator says of accounts, straight to the datastore."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

import typer

from windlass.app import check
from windlass.daemon.options import STORE, takes
from windlass.daemon.say import say
from windlass.daemon.standing import as_it_stands
from windlass.errors import NotFound
from windlass.settings import Settings
from windlass.store import schema
from windlass.store.database import Database
from windlass.store.store import Store

HIGHEST = 1_000_000  # of any limit
COLUMNS = {"gears": "most_gears", "domains": "most_domains", "storage": "most_storage"}

user = typer.Typer(help="Users, and what they may have.", no_args_is_help=True)
Limit = int | None
Login = Annotated[str, typer.Argument(metavar="LOGIN", help="Whose.")]
Gears = Annotated[Limit, typer.Option(help="Gears at most.", metavar="N", min=0, max=HIGHEST)]
Domains = Annotated[Limit, typer.Option(help="Domains at most.", metavar="N", min=0, max=HIGHEST)]
Storage = Annotated[
    Limit,
    typer.Option(help="GiB of all gears' disks at most.", metavar="N", min=0, max=HIGHEST),
]


@user.command("limits", epilog="Example: windlassd user limits anna --gears 20 --storage 50")
@takes(*STORE)
def limits(
    settings: Settings,
    login: Login,
    gears: Gears = None,
    domains: Domains = None,
    storage: Storage = None,
) -> None:
    """Tell what a user may have and has; or set it, by flags. Who has more keeps it."""
    told = {"gears": gears, "domains": domains, "storage": storage}
    wanted = {COLUMNS[kind]: most for kind, most in told.items() if most is not None}
    for line in asyncio.run(limited(as_it_stands(settings), login, wanted)):
        say(line)


async def limited(settings: Settings, login: str, wanted: Mapping[str, int]) -> list[str]:
    """Set the limits that are wanted, and say what holds now."""
    check(await schema.state(settings.database_url))
    database = Database(settings.database_url)
    try:
        store = Store(database)
        if wanted:
            await store.accounts.limit(login, wanted)
        found = await store.accounts.find(login)
        if found is None:
            raise NotFound(f"there is no user {login}")
        one, _ = found
        used = await store.quotas.used(one.id)
        return [
            f"{kind:8} {used.get(kind, 0)} of {getattr(one, column)}"
            for kind, column in COLUMNS.items()
        ]
    finally:
        await database.close()
