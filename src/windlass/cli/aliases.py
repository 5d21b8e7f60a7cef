"""`windlass alias`: further host names that an application answers at."""

from typing import Annotated

import typer

from windlass.cli.applications import Name
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
from windlass.cli.render import Column, Output, show_list, tell

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Aliases are host names of your own that an application answers at.",
    epilog=examples("windlass alias add blog www.example.com", "windlass alias list blog"),
)

COLUMNS = (Column("alias", lambda alias: alias["id"]),)
Host = Annotated[str, typer.Argument(metavar="HOST", help="As in www.example.com.")]


@app.command(epilog=examples("windlass alias add blog www.example.com"))
def add(
    context: typer.Context,
    name: Name,
    host: Host,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Let an application answer at one more host name; its DNS entry is yours to make."""
    with connect(context) as client:
        domain = the_domain(client, domain)
        job = client.add_alias(domain, name, host)
        if carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout):
            show_list(list(client.aliases(domain, name)), COLUMNS, output, "id")


@app.command(
    "list", epilog=examples("windlass alias list blog", "windlass alias list blog -o name")
)
def list_(
    context: typer.Context,
    name: Name,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the host names that an application answers at beside its own."""
    with connect(context) as client:
        found = list(client.aliases(the_domain(client, domain), name))
    show_list(found, COLUMNS, output, "id")
    if not found:
        tell(f"{name} has no alias yet: windlass alias add {name} www.example.com")


@app.command(epilog=examples("windlass alias remove blog www.example.com"))
def remove(
    context: typer.Context,
    name: Name,
    host: Host,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Let an application answer at a host name no more; others may have it then."""
    with connect(context) as client:
        domain = the_domain(client, domain)
        job = client.remove_alias(domain, name, host)
        if carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout):
            show_list(list(client.aliases(domain, name)), COLUMNS, output, "id")
