"""`windlass token`: keys to the API for scripts."""

from typing import Annotated, Literal

import typer

from windlass.cli.options import Confirm, OutputOption, Yes, connect, examples, make_sure
from windlass.cli.render import Column, Output, show_list, structured, tell, write

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Tokens let scripts in, without a password.",
    epilog=examples("windlass token create 'nightly build'", "windlass token list"),
)

COLUMNS = (
    Column("id", lambda token: token["id"]),
    Column("note", lambda token: token["note"]),
    Column("scope", lambda token: token["scope"]),
    Column("expires", lambda token: (token["expires_at"] or "never")[:10], keep=2),
    Column("created", lambda token: (token["created_at"] or "")[:10], keep=1),
)


@app.command(
    epilog=examples(
        "windlass token create 'nightly build'",
        "windlass token create monitoring --scope read --expires-in 86400",
    )
)
def create(
    context: typer.Context,
    note: Annotated[str, typer.Argument(metavar="[NOTE]", help="What it is for.")] = "",
    scope: Annotated[
        Literal["full", "read"], typer.Option(help="What it allows: all that you may, or to look.")
    ] = "full",
    expires_in: Annotated[
        int | None, typer.Option(metavar="SECONDS", min=1, help="How long it is good for.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a token and print it, this once."""
    with connect(context) as client:
        token = client.create_token(note, scope, expires_in)
    if output in (Output.JSON, Output.YAML):
        write(structured(token, output))
    else:
        write(f"{token['id'] if output is Output.NAME else token['token']}\n")
    tell(f"This is token {token['id']}; it is shown only now.")


@app.command("list", epilog=examples("windlass token list", "windlass token list -o json"))
def list_(context: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """List your tokens, without their secrets."""
    with connect(context) as client:
        show_list(client.tokens(), COLUMNS, output, "id")


@app.command(epilog=examples("windlass token revoke 7", "windlass token revoke 7 -y"))
def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help="The id that `token list` shows.")],
    yes: Yes = False,
    confirm: Confirm = None,
) -> None:
    """Make a token worthless."""
    with connect(context) as client:
        make_sure("token", token, yes=yes, confirm=confirm)
        client.revoke_token(token)
    tell(f"Token {token} is revoked.")
