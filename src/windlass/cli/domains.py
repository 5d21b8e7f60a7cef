"""`windlass domain`: the names under which applications live."""

from typing import Annotated

import typer

from windlass.cli.options import (
    Confirm,
    NoWait,
    OutputOption,
    WaitTimeout,
    Yes,
    carry_out,
    connect,
    examples,
    make_sure,
)
from windlass.cli.render import Column, Output, show_list, show_one, tell

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Domains hold applications.",
    epilog=examples("windlass domain create demo", "windlass domain list"),
)

COLUMNS = (
    Column("name", lambda domain: domain["name"]),
    Column("applications", lambda domain: domain["applications"]),
    Column("owner", lambda domain: domain["owner"], keep=2),
    Column("created", lambda domain: domain["created_at"][:10], keep=1),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The domain's name.")]


@app.command(epilog=examples("windlass domain create demo"))
def create(context: typer.Context, name: Name, output: OutputOption = Output.TABLE) -> None:
    """Make a domain."""
    with connect(context) as client:
        show_one(client.create_domain(name), COLUMNS, output, "name")


@app.command("list", epilog=examples("windlass domain list", "windlass domain list -o name"))
def list_(context: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """List the domains that you may see."""
    with connect(context) as client:
        domains = list(client.domains())
    show_list(domains, COLUMNS, output, "name")
    if not domains:
        tell("There is no domain yet: windlass domain create NAME")


@app.command(epilog=examples("windlass domain show demo", "windlass domain show demo -o json"))
def show(context: typer.Context, name: Name, output: OutputOption = Output.TABLE) -> None:
    """Show a domain."""
    with connect(context) as client:
        show_one(client.domain(name), COLUMNS, output, "name")


@app.command(epilog=examples("windlass domain rename demo prod"))
def rename(
    context: typer.Context,
    name: Name,
    to: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Give a domain another name; its applications answer at the old one until all are told."""
    with connect(context) as client:
        job = client.rename_domain(name, to)
        if carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout):
            show_one(client.domain(to), COLUMNS, output, "name")


@app.command(
    epilog=examples("windlass domain delete demo", "windlass domain delete demo --confirm demo")
)
def delete(context: typer.Context, name: Name, yes: Yes = False, confirm: Confirm = None) -> None:
    """Delete a domain that has no applications."""
    with connect(context) as client:
        make_sure("the domain", name, yes=yes, confirm=confirm)
        client.delete_domain(name)
    tell(f"The domain {name} is deleted.")
