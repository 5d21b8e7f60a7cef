"""`windlass job`: what is being done, and what one can do about it."""

import re
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Literal, get_args

import typer
from rich.text import Text

from windlass.cli.fate import Fate, Stop
from windlass.cli.listing import JOBS, watch_list
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
from windlass.cli.render import (
    Output,
    console,
    facts,
    show_list,
    structured,
    tell,
    write,
    write_lines,
)
from windlass.cli.view import WIDEST, Frame, details, in_words, job_seconds, reason, steps_view
from windlass.cli.waiting import wait_for
from windlass.client import Json, has_ended

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Jobs are what changes applications.",
    epilog=examples("windlass job list", "windlass job watch 42"),
)

Number = Annotated[int, typer.Argument(metavar="JOB", help="The job's number.", min=1)]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")]
Status = Literal["queued", "in_progress", "complete", "failed"]
Phase = Literal[
    "delayed", "waiting", "ready", "running", "retrying", "undoing",
    "complete", "failed", "cancelled", "buried", "discarded",
]  # fmt: skip


def _either(choices: Any) -> str:
    return ", ".join(get_args(choices))


@app.command(
    "list",
    epilog=examples(
        "windlass job list",
        "windlass job list -d demo -a blog --status failed",
        "windlass job list --since 2h --watch",
        "windlass job list --phase buried -o name",
    ),
)
def list_(
    context: typer.Context,
    domain: DomainOption = None,
    application: Annotated[
        str | None, typer.Option("-a", "--app", metavar="NAME", help="Of this application.")
    ] = None,
    status: Annotated[
        Status | None, typer.Option(metavar="STATUS", help=f"One of {_either(Status)}.")
    ] = None,
    phase: Annotated[
        Phase | None, typer.Option(metavar="PHASE", help=f"One of {_either(Phase)}.")
    ] = None,
    operation: Annotated[
        str | None, typer.Option(metavar="KIND", help="Of this kind: create-application, …")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Asked for since: 30m, 2h, 7d, or a date.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="LOGIN", help="Of this user (operators).")
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="At most so many.")] = 50,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing them.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List jobs, the newest first."""
    filters = {
        "status": status, "phase": phase, "operation": operation, "owner": owner,
        "since": since and _time(since), "limit": min(limit, 200),
    }  # fmt: skip
    with connect(context) as client:
        if application:
            domain = the_domain(client, domain)

        def ask() -> list[Json]:
            return list(islice(client.jobs(domain, application, **filters), limit))

        if watch:
            watch_list(ask, output)
        else:
            show_list(ask(), JOBS, output, "id")


@app.command(epilog=examples("windlass job show 42", "windlass job show 42 -o json"))
def show(context: typer.Context, job: Number, output: OutputOption = Output.TABLE) -> None:
    """Show a job and its steps, as they are now."""
    with connect(context) as client:
        found = client.job(job)
    match output:
        case Output.TABLE:
            _show(found)
        case Output.NAME:
            write(f"{found['id']}\n")
        case _:
            write(structured(found, output))


@app.command(
    epilog=examples("windlass job watch 42", "windlass job watch 42 43 44 --wait-timeout 600")
)
def watch(
    context: typer.Context,
    jobs: Annotated[list[int], typer.Argument(metavar="JOB...", help="The jobs' numbers.")],
    wait_timeout: WaitTimeout = None,
) -> None:
    """Watch jobs until they end; Ctrl-C leaves them running."""
    with connect(context) as client:
        wait_for(client, list(dict.fromkeys(jobs)), wait_timeout)


@app.command(epilog=examples("windlass job cancel 42"))
def cancel(context: typer.Context, job: Number, output: OutputOption = Output.TABLE) -> None:
    """Stop a job and take back what it has done."""
    _act(context, job, "cancel", output)


@app.command(epilog=examples("windlass job retry 42", "windlass job retry 42 --no-wait"))
def retry(
    context: typer.Context,
    job: Number,
    output: OutputOption = Output.TABLE,
    no_wait: NoWait = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Ask for the same as a failed job did, in a new job."""
    with connect(context) as client:
        new = client.job_event(job, "retry")
        ended = carry_out(client, new, output, no_wait=no_wait, timeout=wait_timeout)
    if ended and output is Output.NAME:
        write(f"{ended['id']}\n")
    elif ended and output is not Output.TABLE:
        write(structured(ended, output))


@app.command(
    epilog=examples("windlass job kick 42 --reason 'the disk has room again'"),
)
def kick(
    context: typer.Context, job: Number, reason: Reason, output: OutputOption = Output.TABLE
) -> None:
    """Send a buried or waiting job on its way again (operators)."""
    _act(context, job, "kick", output, reason=reason)


@app.command(
    epilog=examples("windlass job skip 42 --step 3 --reason 'done by hand'"),
)
def skip(
    context: typer.Context,
    job: Number,
    step: Annotated[int, typer.Option(metavar="N", min=0, help="The step's number.")],
    reason: Reason,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a step for done and go on with the next (operators)."""
    _act(context, job, "skip", output, reason=reason, step=step)


@app.command(
    epilog=examples("windlass job undo 42 --reason 'not wanted any more'"),
)
def undo(
    context: typer.Context, job: Number, reason: Reason, output: OutputOption = Output.TABLE
) -> None:
    """Take back what a buried job has done (operators)."""
    _act(context, job, "undo", output, reason=reason)


@app.command(epilog=examples("windlass job discard 42 --reason 'cleaned by hand'"))
def discard(
    context: typer.Context, job: Number, reason: Reason, output: OutputOption = Output.TABLE
) -> None:
    """Give a buried job up and leave everything as it is (operators)."""
    _act(context, job, "discard", output, reason=reason)


def _act(
    context: typer.Context,
    number: int,
    event: str,
    output: Output,
    *,
    reason: str | None = None,
    step: int | None = None,
) -> None:
    with connect(context) as client:
        job = client.job_event(number, event, reason=reason, step=step)
    if output in (Output.JSON, Output.YAML):
        write(structured(job, output))
    elif output is Output.NAME:
        write(f"{job['id']}\n")
    else:
        stopping = job["cancel_asked"] and not has_ended(job)
        asked = " and is being cancelled" if stopping else ""
        tell(f"Job {number} is {job['phase']}{asked}. To see it: windlass job watch {number}")


def _show(job: Json) -> None:
    width = min(console(sys.stdout).width, WIDEST)
    asked = job.get("asked") or {}
    pairs = [
        ("job", job["id"]),
        ("title", job["title"]),
        ("phase", job["phase"]),
        ("being cancelled", "yes" if job["cancel_asked"] and not has_ended(job) else None),
        ("domain", job["domain"]),
        ("application", job["application"]),
        ("asked by", f"{asked.get('by')} from {asked.get('from')}" if asked else job["owner"]),
        ("created", job["created_at"]),
        ("took", in_words(job_seconds(job))),
        ("waiting for", ", ".join(url.rpartition("/")[2] for url in job["waiting_for"])),
        ("retry of", job["retry_of"]),
        ("retried by", job["retried_by"]),
        ("reason", reason(job)),
    ]
    frame = Frame(width, None, lambda step: step["seconds"], {})
    more = [Text(f"    {line}", "dim") for line in details(job)]
    write_lines([*facts(pairs), *more, *steps_view(job["steps"], frame, width)])


def _time(text: str) -> str:
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[ago[2]]
        return (datetime.now(UTC) - timedelta(**{unit: int(ago[1])})).isoformat()
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError):
        raise Stop(
            Fate.USAGE, f"{text} is no time.", next="windlass job list --since 2h   (or 2026-01-31)"
        ) from None
