"""`windlass env`: what an application finds in its environment."""

import sys
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from windlass.cli import dotenv
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
from windlass.cli.render import Column, Output, show_list, show_one, tell

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Environment variables tell an application its settings and secrets.",
    epilog=examples("windlass env set blog MODE=fast", "windlass env list blog --names"),
)

COLUMNS = (
    Column("name", lambda one: one["name"]),
    Column("value", lambda one: one["value"]),
)
STDIN = "-"


@app.command(
    "set",
    epilog=examples(
        "windlass env set blog MODE=fast DEBUG=",
        "windlass env set blog KEY=@key.pem   # what a file says",
        "pass show api | windlass env set blog TOKEN=-  # what stdin says",
        "windlass env set blog HANDLE=@@anna   # @anna itself",
    ),
)
def set_(
    context: typer.Context,
    name: Name,
    pairs: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...", help="@FILE is what a file says, - what stdin says."
        ),
    ],
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Set variables, all in one job; new instances see them before the old ones stop."""
    change = _pairs(name, pairs)
    _change(context, name, change, domain, output, no_wait=no_wait, timeout=wait_timeout)


@app.command(epilog=examples("windlass env unset blog MODE", "windlass env unset blog A B"))
def unset(
    context: typer.Context,
    name: Name,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The variables' names.")],
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Take variables away, all in one job."""
    change = dict.fromkeys(names)
    _change(context, name, change, domain, output, no_wait=no_wait, timeout=wait_timeout)


@app.command(
    "import",
    epilog=examples(
        "windlass env import blog .env", "sops -d secrets.env | windlass env import blog -"
    ),
)
def import_(
    context: typer.Context,
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Lines of NAME=VALUE; - is stdin.")],
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Set the variables that a .env file names; others stay as they are."""
    source = "stdin" if file == STDIN else file
    change = dotenv.parse(_stdin() if file == STDIN else _file(file), source)
    if not change:
        raise Stop(Fate.USAGE, f"There is no variable in {source}.")
    _change(context, name, change, domain, output, no_wait=no_wait, timeout=wait_timeout)


@app.command(
    "list",
    epilog=examples(
        "windlass env list blog", "windlass env list blog --names", "windlass env list blog -o json"
    ),
)
def list_(
    context: typer.Context,
    name: Name,
    names: Annotated[bool, typer.Option("--names", help="Do not show what they say.")] = False,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List an application's variables and what they say."""
    with connect(context) as client:
        found = list(client.variables(the_domain(client, domain), name))
    if names:
        found = [{"name": one["name"]} for one in found]
    show_list(found, COLUMNS[:1] if names else COLUMNS, output, "name")
    if not found:
        tell(f"There is no variable yet: windlass env set {name} NAME=VALUE")


def _change(
    context: typer.Context,
    name: str,
    change: Mapping[str, str | None],
    domain: str | None,
    output: Output,
    *,
    no_wait: bool,
    timeout: float | None,
) -> None:
    with connect(context) as client:
        domain = the_domain(client, domain)
        job = client.set_variables(domain, name, change)
        if carry_out(client, job, output, no_wait=no_wait, timeout=timeout):
            show_one(client.application(domain, name), LIST, output, "name")


# -- what is said, and where it is said ----------------------------------------------------


def _pairs(application: str, pairs: list[str]) -> dict[str, str]:
    if "=" in application:
        raise Stop(
            Fate.USAGE,
            "The application's name goes first.",
            next="windlass env set NAME NAME=VALUE",
        )
    split = [pair.partition("=") for pair in pairs]
    for name, equals, _ in split:
        if not (name and equals):
            raise Stop(  # the name alone: what stands here may be a secret
                Fate.USAGE,
                "Each variable is NAME=VALUE, the value quoted where it has spaces.",
                next=f"windlass env set {application} NAME='some value'",
            )
    if sum(said == STDIN for _, _, said in split) > 1:
        raise Stop(Fate.USAGE, "Only one variable can be read from stdin.")
    names = [name for name, _, _ in split]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Stop(Fate.USAGE, f"{', '.join(twice)} is there twice.")
    return {name: _value(name, said) for name, _, said in split}


def _value(name: str, said: str) -> str:
    if said == STDIN:
        if sys.stdin.isatty():
            return getpass(f"{name}: ", stream=sys.stderr)
        return _without_end(_stdin())
    if said.startswith("@@"):
        return said[1:]
    return _without_end(_file(said[1:])) if said.startswith("@") else said


def _without_end(text: str) -> str:
    """Files end with a newline that is not meant."""
    return text.removesuffix("\n").removesuffix("\r")


def _stdin() -> str:
    return _text(sys.stdin.buffer.read(), "stdin")


def _file(path: str) -> str:
    try:
        return _text(Path(path).read_bytes(), path)
    except OSError as error:
        why = error.strerror or error
        raise Stop(
            Fate.FAILED, f"{path or 'A file without a name'} cannot be read: {why}."
        ) from error


def _text(raw: bytes, source: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Stop(Fate.USAGE, f"{source} is not text in UTF-8, as variables are.") from None
