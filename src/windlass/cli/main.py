"""The console script `windlass`."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from rich.text import Text

from windlass.cli import (
    accounts,
    aliases,
    applications,
    configuring,
    domains,
    jobs,
    scaling,
    tokens,
    variables,
)
from windlass.cli.fate import Fate, Stop, stop_of
from windlass.cli.options import examples
from windlass.cli.render import clean, silence, tell, write
from windlass.client import ClientError

app = typer.Typer(
    name="windlass",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=examples(
        "windlass login http://127.0.0.1:8000",
        "windlass domain create demo",
        "windlass app create blog python",
        "windlass app deploy blog ./site",
        "windlass --cluster work job list",
    ),
)
app.add_typer(accounts.app)
app.add_typer(domains.app, name="domain")
app.add_typer(applications.app, name="app")
applications.app.command("configure", epilog=configuring.EXAMPLES)(configuring.configure)
applications.app.command("scale", epilog=scaling.EXAMPLES)(scaling.scale)
app.add_typer(aliases.app, name="alias")
app.add_typer(variables.app, name="env")
app.add_typer(jobs.app, name="job")
app.add_typer(tokens.app, name="token")
app.add_typer(applications.alone)


def main() -> None:
    """Run the command line and leave with its exit code."""
    _have_streams()
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            silence(stream)
            code = code or Fate.FAILED
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; what went wrong is a sentence on stderr and the exit code."""
    try:
        app(cluster_first(arguments), prog_name="windlass")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Fate.FAILED
    except Stop as stop:
        return _say(stop)
    except ClientError as error:
        return _say(stop_of(error))
    except OSError as error:
        return _say(Stop(Fate.FAILED, f"{error.strerror or error}: {error.filename or 'output'}"))
    except KeyboardInterrupt:
        return Fate.DETACHED
    return Fate.DONE


def cluster_first(arguments: Sequence[str]) -> list[str]:
    """The same arguments with `--cluster NAME`, which may stand anywhere, at the front."""
    front, rest = list[str](), list(arguments)
    end = rest.index("--") if "--" in rest else len(rest)
    for at in reversed(range(end)):
        if rest[at].startswith("--cluster="):
            front = [rest.pop(at), *front]
        elif rest[at] == "--cluster":
            front = [*rest[at : at + 2], *front]
            del rest[at : at + 2]
    return front + rest


def _version(wanted: bool) -> None:
    if wanted:
        write(f"windlass {version('windlass')}\n")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which saved login to use; may stand anywhere."),
    ] = None,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_version, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Web applications on your own machines, every change a job that you can watch."""
    context.obj = cluster


def _have_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it: >&-
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123
        # A terminal that knows only Latin letters gets a question mark, not a traceback.
        getattr(sys, name).reconfigure(errors="replace")


def _say(stop: Stop) -> int:
    calm = stop.fate in (Fate.WAITED_TOO_LONG, Fate.DETACHED, Fate.DONE)
    if stop.sentence:
        sign, style = ("•", "yellow") if calm else ("✗", "red")
        tell(Text.assemble((f"{sign} ", style), clean(stop.sentence)))
    if stop.next:
        tell(Text.assemble(("  → ", "dim"), clean(stop.next)))
    return stop.fate
