"""Drawing jobs as their events come: live in a terminal, as plain lines anywhere else."""

import os
import sys
import time
from collections import defaultdict, deque
from functools import partial
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live

from windlass.cli.render import clean, tell
from windlass.cli.view import (
    Frame,
    in_words,
    job_seconds,
    job_view,
    moment,
    reason,
    state_note,
)
from windlass.client import Change, Json, has_ended

LAST_LINES = 10
FRAMES = 4  # a second, so that the clock goes on between events
UNDER_WAY = ("running", "retrying")


class Drawing(Protocol):
    """Something that shows jobs while they go."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None: ...

    def show(self, job: Json, change: Change) -> None:
        """Take note of what changed."""


def drawing(several: bool) -> Drawing:
    """What fits the stream that progress goes to."""
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveDrawing()
    return LineDrawing(several)


class Stopwatch:
    """Seconds of what is still under way, by our own clock: the server's may be another."""

    def __init__(self) -> None:
        self._begun: dict[object, float] = {}

    def begin(self, job: Json, change: Change) -> None:
        """Note what has begun; only what began before we came is measured by the calendar."""
        for thing in (job, *job["steps"]):
            if thing.get("state", "running") in UNDER_WAY:
                past = _age(thing) if change.kind == "snapshot" else 0.0
                self._begun.setdefault(_key(job, thing), time.monotonic() - past)

    def seconds(self, job: Json, thing: Json) -> float | None:
        """How long this job, or this step of it, took or is taking."""
        ended = thing["seconds"] if "seconds" in thing else job_seconds(thing)
        if ended is not None and thing.get("state") not in UNDER_WAY:
            return float(ended)
        begun = self._begun.get(_key(job, thing))
        return None if begun is None else time.monotonic() - begun


class LiveDrawing:
    """The newest view of each job, drawn over the one before."""

    def __init__(self) -> None:
        self._jobs: dict[int, Json] = {}
        self._logs: dict[int, dict[int, str]] = defaultdict(dict)
        self._watch = Stopwatch()
        self._trouble = ""
        self._over = False
        self._console = Console(file=sys.stderr, highlight=False, markup=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=FRAMES,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._over = True
        self._live.__exit__(kind, error, at)

    def show(self, job: Json, change: Change) -> None:
        """Draw the job as it is now."""
        self._watch.begin(job, change)
        if change.kind == "log" and change.step:
            self._logs[job["id"]][change.step["number"]] = clean(change.text)
        self._trouble = "connection lost, trying again" if change.kind == "lost" else ""
        self._jobs = {**self._jobs, job["id"]: job}  # a new one: the clock's thread reads it too
        self._live.refresh()

    def _render(self) -> Group:
        jobs = self._jobs
        each = max(self._console.height // max(len(jobs), 1), 4)
        lines = []
        for number, job in jobs.items():
            frame = Frame(
                width=self._console.width,
                # The last picture may be long, it stays; unless the job goes on elsewhere.
                height=None if self._over and has_ended(job) else each - 1,
                seconds=partial(self._watch.seconds, job),
                logs=self._logs[number],
                trouble=self._trouble,
            )
            lines += job_view(job, frame)
        return Group(*lines)


class LineDrawing:
    """A line for each change, for logs and pipes."""

    def __init__(self, several: bool) -> None:
        self._several = several
        self._told: dict[object, object] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Nothing is held that would have to be let go."""

    def show(self, job: Json, change: Change) -> None:
        """Write what is new about the job."""
        number = job["id"]
        self._tell_once(number, "title", f"{clean(job['title'])} (job {number})")
        for step in job["steps"]:
            if step["state"] != "planned":
                self._tell_once(number, step["number"], _step_line(step))
        if change.kind == "log":
            self._tell(number, f"    {clean(change.text)}")
        if change.kind == "lost":
            self._tell(number, "connection lost, trying again")
        self._tell_once(number, "note", state_note(job))
        if has_ended(job):
            took = in_words(job_seconds(job))
            self._tell_once(number, "end", f"{job['phase']}{f' in {took}' if took else ''}")

    def _tell_once(self, number: int, what: object, line: str) -> None:
        if self._told.get((number, what), "") != line:
            self._told[number, what] = line
            if line:
                self._tell(number, line)

    def _tell(self, number: int, line: str) -> None:
        tell(f"[{number}] {line}" if self._several else line)


class LastLines:
    """The newest lines that each job's steps wrote, for when it fails."""

    def __init__(self) -> None:
        self._lines: dict[int, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_LINES))

    def note(self, job: Json, change: Change) -> None:
        """Keep the line, if this is one."""
        if change.kind == "log":
            self._lines[job["id"]].append(clean(change.text))

    def of(self, job: Json) -> list[str]:
        """What is kept of this job."""
        return list(self._lines[job["id"]])


def _step_line(step: Json) -> str:
    state, took = step["state"], in_words(step["seconds"])
    line = f"  {state:<8}  {clean(step['title'])}"
    if step["tries"] > 1:
        line += f", try {step['tries']}"
    if state in ("done", "failed") and took:
        line += f", {took}"
    if state in ("retrying", "failed", "undone") and reason(step):
        line += f": {reason(step)}"
    return line


def _age(thing: Json) -> float:
    begun = moment(thing.get("begun_at") or thing.get("started_at"))
    return max(time.time() - begun.timestamp(), 0.0) if begun else 0.0


def _key(job: Json, thing: Json) -> object:
    return (job["id"], thing.get("number"))
