"""The options that many commands share, and the connection that they lead to."""

import os
import sys
from typing import Annotated

import typer

from windlass.cli import session
from windlass.cli.fate import Fate, Stop
from windlass.cli.render import Output, structured, tell, write
from windlass.cli.waiting import wait_for
from windlass.client import Client, Json

OutputOption = Annotated[Output, typer.Option("-o", "--output", help="How to print it.")]
DomainOption = Annotated[
    str | None,
    typer.Option(
        "-d", "--domain", metavar="DOMAIN", envvar="WINDLASS_DOMAIN",
        help="The domain, where there are several.",
    ),
]  # fmt: skip
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Do not wait: print the job's number and URL.")
]
WaitTimeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", min=0, show_default=False,
        help="Wait no longer than this; the job goes on. Exit code 124.",
    ),
]  # fmt: skip
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
Confirm = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", show_default=False, help="The name once more, instead of being asked."
    ),
]


def examples(*lines: str) -> str:
    """Examples as the last part of a `--help`, a line each."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def connect(context: typer.Context) -> Client:
    """The server that the flags, the environment and the saved logins lead to."""
    login = session.load().choose(context.obj, os.environ)
    return Client(login.url, token=login.token)


def the_domain(client: Client, given: str | None) -> str:
    """The domain that was named, or the only one there is."""
    if given:
        return given
    names = [str(domain["name"]) for domain in client.domains()]
    if not names:
        raise Stop(Fate.NOT_FOUND, "There is no domain yet.", next="windlass domain create NAME")
    if len(names) > 1:
        raise Stop(Fate.USAGE, f"There are several domains: {', '.join(names)}. Say which with -d.")
    return names[0]


def make_sure(what: str, name: str, *, yes: bool, confirm: str | None) -> None:
    """Ask before something is deleted, unless this was answered already."""
    if confirm is not None and confirm != name:
        raise Stop(Fate.USAGE, f"--confirm says {confirm}, but this is {name}. Nothing was done.")
    if yes or confirm == name:
        return
    if not sys.stdin.isatty():
        raise Stop(
            Fate.USAGE,
            f"Deleting {what} {name} must be confirmed, and there is nobody to ask.",
            next=f"the same with -y, or with --confirm {name}",
        )
    if not typer.confirm(f"Delete {what} {name}, for good?", err=True):
        raise Stop(Fate.FAILED, "Nothing was done.")


def carry_out(
    client: Client, job: Json, output: Output, *, no_wait: bool, timeout: float | None
) -> Json | None:
    """Wait for the job and return it as it ended; or print where it is, if nobody waits."""
    if no_wait:
        show_job_begun(job, output)
        return None
    try:
        return wait_for(client, [job["id"]], timeout)[0]
    except Stop as stop:
        if stop.fate is Fate.FAILED and output in (Output.JSON, Output.YAML):
            write(structured(client.job(job["id"]), output))
        raise


def show_job_begun(job: Json, output: Output) -> None:
    """Print a job that nobody waits for."""
    match output:
        case Output.NAME:
            write(f"{job['id']}\n")
        case Output.TABLE:
            write(f"{job['id']}  {job['url']}\n")
            tell(f"The job goes on. To see it: windlass job watch {job['id']}")
        case _:
            write(structured(job, output))
