"""Jobs as a table: once, or again and again."""

import json
import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console, Group
from rich.live import Live

from windlass.cli.fate import Fate, Stop
from windlass.cli.render import Column, Output, clean, structured, table, write
from windlass.cli.view import MARGIN
from windlass.client import Json

PERIOD = 2.0  # seconds; the API has streams of jobs, but none of the list of them

JOBS = (
    Column("id", lambda job: job["id"]),
    Column("phase", lambda job: job["phase"]),
    Column("done", lambda job: percent(job), keep=3),
    Column("title", lambda job: job["title"]),
    Column("owner", lambda job: job["owner"], keep=2),
    Column("created", lambda job: job["created_at"][:16].replace("T", " "), keep=1),
)
Ask = Callable[[], Sequence[Json]]


def percent(job: Json) -> str | None:
    """How much of a job is done, where that is known."""
    known = job["percent_complete"]
    return None if known is None else f"{known:.0f} %"


def watch_list(ask: Ask, output: Output) -> None:
    """Show the list anew until Ctrl-C: drawn over in a terminal, a line a change elsewhere."""
    try:
        if output is Output.TABLE and sys.stdout.isatty():
            _redraw(ask)
        else:
            _append(ask, output)
    except KeyboardInterrupt:
        raise Stop(Fate.DETACHED) from None


def _redraw(ask: Ask) -> None:
    screen = Console(highlight=False, markup=False)
    with Live(console=screen, auto_refresh=False, redirect_stderr=False) as live:
        while True:
            lines = table(ask(), JOBS, screen.width - MARGIN)[: screen.height - 1]
            live.update(Group(*lines) if lines else "No jobs.", refresh=True)
            time.sleep(PERIOD)


def _append(ask: Ask, output: Output) -> None:
    told: dict[int, object] = {}
    while True:
        for job in reversed(ask()):
            now = (job["phase"], job["percent_complete"], job["cancel_asked"])
            if output is Output.NAME:
                now = ("known", None, False)
            if told.get(job["id"]) != now:
                told[job["id"]] = now
                write(_line(job, output))
        time.sleep(PERIOD)


def _line(job: Json, output: Output) -> str:
    match output:
        case Output.NAME:
            return f"{job['id']}\n"
        case Output.JSON:
            return json.dumps(job, ensure_ascii=False) + "\n"
        case Output.YAML:
            return "---\n" + structured(job, output)
    return f"{job['id']:<6} {job['phase']:<10} {percent(job) or '':>5}  {clean(job['title'])}\n"
