"""A job as it goes, from its event stream, through lost connections, to its end."""

import json
import time
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from windlass.client.client import Client
from windlass.client.errors import Away, Problem
from windlass.client.sse import Message, messages
from windlass.client.transport import Json, path, retry_after

# A buried job goes on only when an operator says so: nobody should sit and wait for that.
ENDED = frozenset({"complete", "failed", "cancelled", "buried", "discarded"})

PATIENCE = 120.0  # seconds without a word from the server before we give up
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between tries; the last one repeats
OPEN = "open"  # our own message: the connection stands


class Change(NamedTuple):
    """What a message told: its kind, and the step or the line that it is about.

    Kinds: snapshot, step, job, log, end; and lost and found, of the connection.
    """

    kind: str
    step: Json | None = None
    text: str = ""


def has_ended(job: Json) -> bool:
    """Will nothing more happen to this job by itself?"""
    return job.get("phase") in ENDED


def follow(
    client: Client, number: int, *, patience: float = PATIENCE
) -> Iterator[tuple[Json, Change]]:
    """The newest whole job after each change, until it has ended."""
    job: Json = {}
    newest, trouble = "", _Trouble(client, patience)
    while True:
        try:
            for message in _watch(client, number, newest):
                again = trouble.over()
                newest = message.id or newest
                if message.event != OPEN:
                    job, change = _fold(client, number, job, message)
                    yield job, change
                elif again and job:
                    yield job, Change("found")
                if has_ended(job):
                    return
            trouble.begins(httpx.RemoteProtocolError("the stream ended before the job did"))
        except (httpx.TransportError, Problem) as error:
            trouble.begins(error)
        if job and trouble.tries > 1:  # a server that is only restarting is not worth a word
            yield job, Change("lost", text=trouble.why)
        trouble.pause()


class _Trouble:
    """How long the server has been away, and how long we bear it."""

    def __init__(self, client: Client, patience: float) -> None:
        self.client = client
        self.patience = patience
        self.tries = 0
        self.since = 0.0
        self.why = ""

    def begins(self, error: httpx.TransportError | Problem) -> None:
        """Bear it once more, or raise."""
        problem = isinstance(error, Problem)
        if isinstance(error, Problem) and error.status not in (429, 502, 503, 504):
            raise error
        now = time.monotonic()
        self.since = self.since if self.tries else now
        self.tries += 1
        self.why = str(error)
        if now - self.since > self.patience:
            raise error if problem else self.client.transport.away(error)

    def pause(self) -> None:
        """Wait longer after each try."""
        time.sleep(PAUSES[min(self.tries, len(PAUSES)) - 1])

    def over(self) -> bool:
        """The server is there; was it away?"""
        again, self.tries = self.tries > 0, 0
        return again


def _watch(client: Client, number: int, newest: str) -> Iterator[Message]:
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
    if newest:
        headers["Last-Event-ID"] = newest
    with client.transport.stream(path("jobs", number), headers) as response:
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/event-stream"):
            yield Message(OPEN, "", newest)
            yield from messages(response.iter_bytes())
        elif kind.startswith("application/json"):
            # A proxy took our wish away: what it answers is a snapshot, and we come again.
            yield Message("snapshot", response.read().decode(), "")
            time.sleep(retry_after(response, 1.0))
        else:
            raise Away(f"{client.url} answers, but not as windlass does")


def _going_on(job: Json, told: Json) -> Json:
    """The job as told beside a step: more steps may follow, so its end is not told here."""
    if job and has_ended(told):
        return {**told, "phase": job["phase"], "status": job["status"]}
    return told


def _fold(client: Client, number: int, job: Json, message: Message) -> tuple[Json, Change]:
    data: Json = json.loads(message.data)
    match message.event:
        case "snapshot" | "end":
            return data, Change(message.event)
        case "log":
            step = {"number": data.get("step")}
            return job or client.job(number), Change("log", step, str(data.get("text", "")))
        case "step":
            steps = _replaced(job, data["step"])
            return {**_going_on(job, data["job"]), "steps": steps}, Change("step", data["step"])
    steps = job.get("steps", [])
    newer: Json = {**data["job"], "steps": steps} if "job" in data else job
    if not steps and newer.get("percent_complete") is not None:
        newer = client.job(number)  # it was elaborated just now: there are steps to ask for
    return newer, Change("job")


def _replaced(job: Json, step: Json) -> list[Json]:
    others = [known for known in job.get("steps", []) if known["number"] != step["number"]]
    return sorted([*others, step], key=lambda known: int(known["number"]))
