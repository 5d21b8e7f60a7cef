"""A job as lines of text, for the live drawing and for `job show`; nothing here asks or waits."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from windlass.cli.render import STYLES, clean, crop
from windlass.client import Json, has_ended

WIDEST = 84  # cells; eyes do not follow a longer line from a title to its seconds
MARGIN = 3  # cells: room for the ^C that a terminal echoes, which must not begin a new line
SIGNS = {
    "planned": "·",
    "running": "●",
    "retrying": "↻",
    "done": "✓",
    "failed": "✗",
    "undoing": "↶",
    "undone": "↶",
    "skipped": "–",
}
ACTIVE = ("running", "retrying", "undoing")
Seconds = Callable[[Json], float | None]


class Frame(NamedTuple):
    """What a view is drawn with: its size, the clock, and the newest line of each step's log."""

    width: int
    height: int | None  # None: as many lines as there are
    seconds: Seconds
    logs: dict[int, str]
    trouble: str = ""


DETAILS = 12  # lines of an error that are shown below its first


def job_view(job: Json, frame: Frame) -> list[Text]:
    """Title, bar, what is in the way, and the steps."""
    width = min(frame.width - MARGIN, WIDEST)
    lines = [_heading(job, width), _bar(job, frame, width)]
    if note := frame.trouble or state_note(job):
        lines.append(Text("  " + crop(note, width - 2), "yellow"))
    room = None if frame.height is None else max(frame.height - len(lines) - 1, 3)
    return lines + steps_view(job["steps"], frame, width, room)


def steps_view(
    steps: Sequence[Json], frame: Frame, width: int, room: int | None = None
) -> list[Text]:
    """The steps; where they are too many for the room, those that are at work, and counts."""
    first, last = _window(steps, room)
    lines = []
    if first:
        lines.append(Text(f"  {SIGNS['done']} {first} steps before", "dim"))
    for step in steps[first:last]:
        lines += _step(step, frame, width)
    if last < len(steps):
        lines.append(Text(f"  {SIGNS['planned']} {len(steps) - last} steps to come", "dim"))
    return lines


def state_note(job: Json) -> str:
    """Why the job is not simply going on, if so."""
    phase = job["phase"]
    if has_ended(job):
        return ""
    if job["cancel_asked"]:
        return "being cancelled"
    if phase == "undoing" or job["direction"] == "undo":
        return "going wrong: what was done is being taken back"
    if job["waiting_for"]:
        numbers = ", ".join(url.rpartition("/")[2] for url in job["waiting_for"])
        return f"waiting for job {numbers}"
    return {"waiting": "waiting for its turn", "delayed": "queued for later"}.get(phase, "")


def reason(thing: Json) -> str:
    """The first line of what a job's or a step's error says."""
    return clean((error_text(thing).splitlines() or [""])[0])


def details(thing: Json) -> list[str]:
    """The lines after the first, the last ones of many."""
    return [clean(line) for line in error_text(thing).splitlines()[1:]][-DETAILS:]


def error_text(thing: Json) -> str:
    """What an error says: an object with a text, or the text."""
    error = thing.get("error")
    return str((error.get("text") if isinstance(error, dict) else error) or "")


def in_words(seconds: float | None) -> str:
    """A duration as one says it: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(text: str | None) -> datetime | None:
    """A time of the API; one without a zone is in UTC."""
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def job_seconds(job: Json) -> float | None:
    """How long an ended job took."""
    begun, ended = moment(job.get("started_at")), moment(job.get("ended_at"))
    return (ended - begun).total_seconds() if begun and ended else None


def _heading(job: Json, width: int) -> Text:
    number = f"job {job['id']}"
    title = crop(clean(job["title"]), width - cell_len(number) - 2)
    gap = " " * (width - cell_len(title) - cell_len(number))
    return Text.assemble((title, "bold"), gap, (number, "dim"), no_wrap=True)


def _bar(job: Json, frame: Frame, width: int) -> Text:
    percent, phase = job["percent_complete"], job["phase"]
    share = "" if percent is None else f"{percent:.0f} %"
    word = phase if has_ended(job) or percent is None else share
    tail = f"  {word}  {in_words(frame.seconds(job)):>6}".rstrip()
    room = max(width - max(len(tail), 18), 10)
    full = round(room * (percent or 0.0) / 100)
    style = {"complete": "green", "undoing": "yellow", "cancelled": "yellow"}.get(phase, "cyan")
    style = "red" if phase in ("failed", "buried") else style
    return Text.assemble(
        ("━" * full, style), ("━" * (room - full), "bright_black"), (tail, "default"), no_wrap=True
    )


def _step(step: Json, frame: Frame, width: int) -> list[Text]:
    state = step["state"]
    style = STYLES.get(state, "")
    right = in_words(frame.seconds(step)) if state not in ("planned", "skipped") else ""
    if step["tries"] > 1:
        right = f"{step['tries']} tries  {right:>6}".rstrip()
    if state in ("undone", "undoing", "skipped"):
        right = state
    title = crop(clean(step["title"]), width - 6 - len(right))
    gap = " " * (width - 4 - cell_len(title) - len(right)) if right else ""
    lines = [
        Text.assemble(
            ("  " + SIGNS.get(state, "?"), style),
            (" " + title, style if state in ("planned", "skipped", "undone") else ""),
            (gap + right, "dim"),
            no_wrap=True,
        )
    ]
    if below := _below(step, frame):
        lines.append(Text("    " + crop(below, width - 4), "red" if state == "failed" else "dim"))
    return lines


def _below(step: Json, frame: Frame) -> str:
    if step["state"] == "retrying":
        due = moment(step["due_at"])
        left = round((due - datetime.now(UTC)).total_seconds()) if due else 0
        again = f"again in {in_words(float(left))}" if left > 0 else "again now"
        return f"{reason(step)}; {again}" if reason(step) else again
    if step["state"] in ("failed", "undone"):
        return reason(step)
    if step["state"] in ACTIVE:
        return frame.logs.get(step["number"], "")
    return ""


def _window(steps: Sequence[Json], room: int | None) -> tuple[int, int]:
    if room is None:
        return 0, len(steps)
    room -= sum(step["state"] in ACTIVE for step in steps)  # they have a line below
    if len(steps) <= room:
        return 0, len(steps)
    room = max(room - 2, 1)  # for the counts before and after
    begun = [at for at, step in enumerate(steps) if step["state"] != "planned"]
    ahead = 2 if room > 1 else 1  # the newest at work, and the one after it where it fits
    last = max(min((begun[-1] if begun else 0) + ahead, len(steps)), room)
    return last - room, last
