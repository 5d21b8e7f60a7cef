"""The console script `windlassd`."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from windlass.daemon.parent import die_with_parent
from windlass.daemon.say import warn
from windlass.errors import WindlassError

app = typer.Typer(
    name="windlassd",
    help="The daemon, and what its operator needs when the API is down.",
    epilog=(
        "Every flag is also a variable (--apps-domain: WINDLASS_APPS_DOMAIN) and a key of "
        "windlass.toml in the data folder."
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
VERBS = {
    **dict.fromkeys(("up", "down", "status", "workers", "doctor", "user"), "Commands"),
    **dict.fromkeys(("migrate", "serve", "work", "route"), "Single parts, as `up` runs them"),
}


def add_verbs(words: Sequence[str]) -> None:
    """Import the verb that is asked for; all of them, which takes a while, only for `--help`."""
    asked = [word for word in words[:1] if word in VERBS]
    for name in asked or VERBS:
        verb = getattr(import_module(f"windlass.daemon.{name}"), name)
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name, rich_help_panel=VERBS[name])
        else:
            app.command(rich_help_panel=VERBS[name])(verb)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        print(f"windlassd {version_of('windlass')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="and end")
    ] = False,
) -> None:
    """The daemon, and what its operator needs when the API is down."""


def main() -> None:
    """Run the command; a trouble is one line on stderr and exit code 1."""
    die_with_parent(os.environ)
    add_verbs(sys.argv[1:])
    try:
        app()
    except WindlassError as error:
        warn(str(error))
        sys.exit(1)
    except OSError as error:
        warn(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
