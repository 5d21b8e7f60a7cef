"""`windlass app`: make applications, deploy to them, start and stop them."""

import os
import sys
import tarfile
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from windlass.cli.fate import Fate, Stop
from windlass.cli.options import (
    Confirm,
    DomainOption,
    NoWait,
    OutputOption,
    WaitTimeout,
    Yes,
    carry_out,
    connect,
    examples,
    make_sure,
    the_domain,
)
from windlass.cli.packing import pack
from windlass.cli.render import Column, Output, clean, show_list, show_one, structured, tell, write
from windlass.client import Json

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Applications are what you deploy and run.",
    epilog=examples("windlass app create blog python", "windlass app deploy blog ./site"),
)
alone = typer.Typer()

Name = Annotated[str, typer.Argument(metavar="NAME", help="The application's name.")]
LIST = (
    Column("name", lambda one: one["name"]),
    Column("domain", lambda one: one["domain"], keep=5),
    Column("cartridge", lambda one: one["cartridge"], keep=2),
    Column("state", lambda one: one["state"]),
    Column("release", lambda one: one["release"], keep=1),
    Column("gears", lambda one: one["gears"], keep=3),
    Column("url", lambda one: one["url"]),
)
DETAILS = (
    *LIST,
    Column("size", lambda one: one["gear_size"]),
    Column("scales", lambda one: _bounds(one)),
    Column("aliases", lambda one: ", ".join(one["aliases"])),
    Column("health", lambda one: _health(one)),
    Column("created", lambda one: one["created_at"]),
    Column("instances", lambda one: ", ".join(_instance(each) for each in one["instances"])),
    Column("job", lambda one: one["job"]),
)
GEARS = (
    Column("gear", lambda gear: gear["id"]),
    Column("size", lambda gear: gear["size"], keep=2),
    Column("state", lambda gear: gear["state"]),
    Column("address", lambda gear: gear["address"], keep=1),
    Column("memory", lambda gear: _part(gear["memory"]), keep=3),
    Column("disk", lambda gear: _part(gear["disk"]), keep=4),
    Column("killed", lambda gear: _killed(gear["kills"]), keep=5),
    Column("instances", lambda gear: ", ".join(_instance(each) for each in gear["instances"])),
)


@app.command(
    epilog=examples(
        "windlass app create blog python",
        "windlass app create blog python --size medium",
        "windlass app create blog python -d demo --no-wait",
    )
)
def create(
    context: typer.Context,
    name: Name,
    cartridge: Annotated[str, typer.Argument(metavar="CARTRIDGE", help="What it is made of.")],
    size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Of its gears: small, medium or large.", show_default=False
        ),
    ] = None,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Make an application."""
    with connect(context) as client:
        domain = the_domain(client, domain)
        job = client.create_application(domain, name, cartridge, size)
        if carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout):
            show_one(client.application(domain, name), LIST, output, "name")


@app.command("list", epilog=examples("windlass app list", "windlass app list -d demo -o name"))
def list_(
    context: typer.Context, domain: DomainOption = None, output: OutputOption = Output.TABLE
) -> None:
    """List the applications that you may see."""
    with connect(context) as client:
        applications = list(client.applications(domain))
    show_list(applications, LIST, output, "name")
    if not applications:
        tell("There is no application yet: windlass app create NAME CARTRIDGE")


@app.command(epilog=examples("windlass app show blog", "windlass app show blog -o yaml"))
def show(
    context: typer.Context,
    name: Name,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show an application and its gears."""
    with connect(context) as client:
        domain = the_domain(client, domain)
        application = client.application(domain, name)
        groups = list(client.gear_groups(domain, name)) if output is not Output.NAME else []
    if output in (Output.JSON, Output.YAML):
        application = {**application, "gear_groups": groups}
    show_one(application, DETAILS, output, "name")
    gears = [gear for group in groups for gear in group["gears"]]
    if output is Output.TABLE and gears:
        write("\n")
        show_list(gears, GEARS, output, "id")


@app.command(
    epilog=examples(
        "windlass app deploy blog",
        "windlass app deploy blog ./site -d demo",
        "windlass app deploy blog site.tar.gz",
    )
)
def deploy(
    context: typer.Context,
    name: Name,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="A folder, or a tar archive of one.")
    ] = Path(),
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Send a folder to an application and run it; what .gitignore names stays here."""
    with connect(context) as client, _archive(folder) as archive:
        domain = the_domain(client, domain)
        job = client.upload_release(domain, name, archive)
        if carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout):
            show_one(client.application(domain, name), LIST, output, "name")


def _event(event: str, sentence: str) -> None:
    """Add a command that only sends this event."""

    @app.command(event, help=sentence, epilog=examples(f"windlass app {event} blog"))
    def command(
        context: typer.Context,
        name: Name,
        domain: DomainOption = None,
        output: OutputOption = Output.TABLE,
        no_wait: NoWait = False,
        wait_timeout: WaitTimeout = None,
    ) -> None:
        with connect(context) as client:
            domain = the_domain(client, domain)
            job = client.application_event(domain, name, event)
            ended = carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout)
            if ended is None:
                return
            if ended.get("result") is None or output is Output.NAME:
                show_one(client.application(domain, name), LIST, output, "name")
            elif output is Output.TABLE:
                write("".join(f"{clean(line)}\n" for line in ended["result"].splitlines()))
            else:
                write(structured(ended, output))


_event("start", "Start an application.")
_event("stop", "Stop an application; its address stays its own.")
_event("restart", "Start an application anew: the new instances answer before the old ones stop.")
_event("reload", "Let the running instances load their code anew, where their cartridge can.")
_event("force-stop", "Kill an application at once, also one that does not listen to stop.")
_event("tidy", "Delete an application's caches, old logs and old releases; says what that freed.")
_event("thread-dump", "Print what every thread of an application is doing.")


@app.command(epilog=examples("windlass app delete blog", "windlass app delete blog --confirm blog"))
def delete(
    context: typer.Context,
    name: Name,
    domain: DomainOption = None,
    output: OutputOption = Output.TABLE,
    yes: Yes = False,
    confirm: Confirm = None,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Delete an application and all that it holds."""
    with connect(context) as client:
        domain = the_domain(client, domain)
        make_sure("the application", name, yes=yes, confirm=confirm)
        job = client.delete_application(domain, name)
        job_ended = carry_out(client, job, output, no_wait=no_wait, timeout=wait_timeout)
    if job_ended and output in (Output.JSON, Output.YAML):
        write(structured(job_ended, output))


@alone.command("open", epilog=examples("windlass open blog"))
def open_(context: typer.Context, name: Name, domain: DomainOption = None) -> None:
    """Print an application's address and open it in a browser."""
    with connect(context) as client:
        url = str(client.application(the_domain(client, domain), name)["url"])
    write(f"{url}\n")
    # Without a screen, Python would find a text browser and put it into this terminal.
    screen = sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    if screen and sys.stdout.isatty() and url.startswith(("http://", "https://")):
        webbrowser.open(url)


@contextmanager
def _archive(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        if not tarfile.is_tarfile(folder):
            raise Stop(Fate.USAGE, f"{folder} is neither a folder nor a tar archive.")
        yield folder
        return
    if not folder.is_dir():
        raise Stop(Fate.USAGE, f"There is no folder {folder}.")
    with tempfile.NamedTemporaryFile(prefix="windlass-", suffix=".tar.gz") as out:
        packed = pack(folder, out)
        out.flush()
        if packed.files == 0:
            raise Stop(
                Fate.USAGE, f"There is nothing to deploy: {folder.resolve()} has no files in it."
            )
        for name in packed.left_out:
            tell(f"Left out {name}: the link leads out of the folder.")
        size = _size(Path(out.name).stat().st_size)
        tell(f"Packed {packed.files} file{'s' * (packed.files != 1)}, {size}.")
        yield Path(out.name)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _bounds(one: Json) -> str:
    most = "any number" if one["scales_to"] == -1 else one["scales_to"]
    return f"{one['scales_from']} to {most}"


def _health(one: Json) -> str:
    path, grace = one.get("health_path"), one.get("health_grace")
    asked = "as its cartridge has it" if path is None else f"GET {path}"
    return asked if grace is None else f"{asked}, within {grace:g} s"


def _part(of: Json) -> str | None:
    return None if of["used"] is None else f"{100 * of['used'] / of['most']:.0f} %"


def _killed(kills: int) -> str | None:
    return f"{kills}, for want of memory" if kills else None


def _instance(instance: Json) -> str:
    why, state = instance.get("why"), instance["state"]
    return f"{state} ({why})" if why and state != "up" else str(state)  # of an end before this life
