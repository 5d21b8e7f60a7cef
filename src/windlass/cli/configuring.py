"""`windlass app configure`: what can be said of an application that is there."""

from typing import Annotated

import typer

from windlass.cli.applications import DETAILS, Name
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

EXAMPLES = examples(
    "windlass app configure blog --health-path /healthz",
    "windlass app configure blog --health-grace 90",
    "windlass app configure blog --usual-health",
)


def configure(
    context: typer.Context,
    name: Name,
    health_path: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Asked to see whether it is well.", show_default=False),
    ] = None,
    health_grace: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="From a start to its first answer.", show_default=False
        ),
    ] = None,
    usual_health: Annotated[
        bool, typer.Option("--usual-health", help="Path and grace as its cartridge has them.")
    ] = False,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Say how an application's health is checked."""
    said = {"health_path": health_path, "health_grace": health_grace}
    wish = {key: value for key, value in said.items() if usual_health or value is not None}
    if not wish:
        raise Stop(
            Fate.USAGE,
            "Say what is to be otherwise: --health-path, --health-grace or --usual-health.",
            next=f"windlass app configure {name} --health-path /healthz",
        )
    with connect(context) as client:
        domain = the_domain(client, domain)
        job = client.configure_application(domain, name, **wish)
        if carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout):
            show_one(client.application(domain, name), DETAILS, output, "name")
