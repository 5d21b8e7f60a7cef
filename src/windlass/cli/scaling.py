"""`windlass app scale`: how many gears an application has, and may have."""

from typing import Annotated

import typer

from windlass.cli.applications import LIST, Name
from windlass.cli.fate import Fate, Stop
from windlass.cli.options import (
    DomainOption,
    NoWait,
    OutputOption,
    WaitTimeout,
    carry_out,
    connect,
    examples,
    the_domain,
)
from windlass.cli.render import Output, show_one
from windlass.client import Client, Json

EXAMPLES = examples(
    "windlass app scale blog 3",
    "windlass app scale blog --by=-1",
    "windlass app scale blog --from 2 --to 5",
)
Number = int | None


def scale(
    context: typer.Context,
    name: Name,
    gears: Annotated[Number, typer.Argument(metavar="[GEARS]", help="So many gears.")] = None,
    by: Annotated[
        Number,
        typer.Option(metavar="N", help="So many more; fewer, if negative.", show_default=False),
    ] = None,
    least: Annotated[
        Number, typer.Option("--from", metavar="N", help="Never fewer.", show_default=False)
    ] = None,
    most: Annotated[
        Number,
        typer.Option("--to", metavar="N", help="Never more; -1: no limit.", show_default=False),
    ] = None,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Run an application in more gears or in fewer, or say between which bounds it may be."""
    wish = {key: n for key, n in (("to", gears), ("by", by)) if n is not None}
    bounds = {key: n for key, n in (("scales_from", least), ("scales_to", most)) if n is not None}
    if len(wish) + bool(bounds) != 1:
        raise Stop(
            Fate.USAGE,
            "Say one thing: how many GEARS, how many more with --by, or bounds (--from, --to).",
            next=f"windlass app scale {name} 3",
        )
    with connect(context) as client:
        domain = the_domain(client, domain)
        job = _begin(client, domain, name, wish, bounds)
        if carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout):
            show_one(client.application(domain, name), LIST, output, "name")


def _begin(client: Client, domain: str, name: str, wish: Json, bounds: Json) -> Json:
    if wish:
        return client.application_event(domain, name, "scale-up", **wish)
    cartridge = client.application(domain, name)["cartridge"]
    return client.bound_cartridge(domain, name, cartridge, **bounds)
