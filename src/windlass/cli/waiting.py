"""Waiting for jobs: until they end, the time is up, or the person goes away."""

import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from rich.text import Text

from windlass.cli.fate import Fate, Stop, fate_of
from windlass.cli.progress import LastLines, drawing
from windlass.cli.render import tell
from windlass.cli.view import details, reason
from windlass.client import Change, Client, ClientError, Json, follow, has_ended

Seen = tuple[int, Json, Change]
News = Seen | Exception


def wait_for(client: Client, numbers: Sequence[int], timeout: float | None = None) -> list[Json]:
    """Draw these jobs until all have ended; stops if one of them did not end well."""
    newest: dict[int, Json] = {}
    lines = LastLines()
    try:
        with drawing(several=len(numbers) > 1) as picture:
            for number, job, change in _news(client, numbers, timeout):
                newest[number] = job
                lines.note(job, change)
                picture.show(job, change)
    except KeyboardInterrupt:
        raise _goes_on(Fate.DETACHED, "Detached;", numbers, newest) from None
    except TimeoutError:
        late = f"Not done after {timeout:g} s;"
        raise _goes_on(Fate.WAITED_TOO_LONG, late, numbers, newest) from None
    except ClientError as error:
        fate = fate_of(error)
        if fate is Fate.NOT_FOUND:  # it is one of those that we have not seen
            numbers = [number for number in numbers if number in newest]
        if not newest or all(n in newest and has_ended(newest[n]) for n in numbers):
            raise
        raise _goes_on(fate, f"{error};", numbers, newest) from error
    ended = [newest[number] for number in numbers]
    _judge(ended, lines)
    return ended


def _news(client: Client, numbers: Sequence[int], timeout: float | None) -> Iterator[Seen]:
    news: SimpleQueue[News] = SimpleQueue()
    for number in dict.fromkeys(numbers):
        # Threads, so that Ctrl-C and the deadline are heard while the server is silent.
        Thread(target=_listen, args=(client, number, news), daemon=True).start()
    deadline = None if timeout is None else time.monotonic() + timeout
    left = set(numbers)
    while left:
        try:
            new = news.get(timeout=deadline and max(deadline - time.monotonic(), 0))
        except Empty:
            raise TimeoutError from None
        if isinstance(new, Exception):
            raise new
        yield new
        if has_ended(new[1]):
            left.discard(new[0])


def _listen(client: Client, number: int, news: SimpleQueue[News]) -> None:
    try:
        for job, change in follow(client, number):
            news.put((number, job, change))
    except Exception as error:  # whatever it is, the thread that waits must hear of it
        news.put(error)


def _goes_on(fate: Fate, why: str, numbers: Sequence[int], newest: dict[int, Json]) -> Stop:
    left = [n for n in numbers if n not in newest or not has_ended(newest[n])]
    what = f"job {left[0]} goes on" if len(left) == 1 else "the jobs go on"
    return Stop(fate, f"{why} {what}.", next=f"windlass job watch {' '.join(map(str, left))}")


def _judge(jobs: Sequence[Json], lines: LastLines) -> None:
    failed = [job for job in jobs if job["phase"] != "complete"]
    for job in failed[:-1]:
        tell(Text(f"✗ {_sentence(job)}", "red"))
    if failed:
        job = failed[-1]
        for line in lines.of(job) or details(job):
            tell(Text(f"    {line}", "dim"))
        raise Stop(Fate.FAILED, _sentence(job), next=_next(job))


def _sentence(job: Json) -> str:
    number, why = job["id"], reason(job)
    match job["phase"]:
        case "cancelled":
            return f"Job {number} was cancelled; what it had done was taken back."
        case "discarded":
            return f"Job {number} was discarded by an operator."
        case "buried":
            return f"Job {number} is buried until an operator looks at it: {_failed(job, why)}"
    return _failed(job, why)


def _failed(job: Json, why: str) -> str:
    step = _failed_step(job)
    if step is None:
        return f"Job {job['id']} failed: {why}" if why else f"Job {job['id']} failed."
    tries = f" after {step['tries']} tries" if step["tries"] > 1 else ""
    why = why or reason(step)
    return f'"{step["title"]}" failed{tries}{f": {why}" if why else "."}'


def _failed_step(job: Json) -> Json | None:
    error = job.get("error")
    number = error.get("step") if isinstance(error, dict) else None
    steps: list[Json] = job["steps"]
    for step in steps:
        named = number in (step["number"], step["title"])
        if named or (number is None and step["state"] == "failed"):
            return step
    return None


def _next(job: Json) -> str:
    if job["phase"] == "buried":
        return f'windlass job kick {job["id"]} --reason "…"   (operators)'
    if job["operation"] == "deploy-release":  # its source is gone, and most likely to blame
        return f"windlass app deploy {job['application']} DIR"
    return f"windlass job retry {job['id']}"
