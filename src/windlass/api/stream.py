"""Jobs as server-sent events, as docs/api.md has them."""

from collections.abc import AsyncIterator

import msgspec
from litestar.response import Stream

from windlass.api.front import Front
from windlass.api.watching import Message, Watcher
from windlass.engine.lease import JobId

EVENTS = "text/event-stream"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # or nginx would keep the messages to itself
    "Vary": "Accept",
}
COMMENT = b": still here\n\n"


def stream(front: Front, job: JobId, last: str | None) -> Stream:
    """The stream of a job, after the message that the client has seen last."""
    return Stream(encoded(front, job, last), media_type=EVENTS, headers=HEADERS)


async def encoded(front: Front, job: JobId, last: str | None) -> AsyncIterator[bytes]:
    """The messages until the end, and signs of life between them."""
    async with front.hub.watch(job) as watcher:
        messages = await opening(front, watcher, last)
        while True:
            for message in messages:
                yield frame(message)
                if message.event == "end":
                    return
            while not await watcher.news(front.comment):
                yield COMMENT
            messages = watcher.take()


async def opening(front: Front, watcher: Watcher, last: str | None) -> list[Message]:
    """What a client must be told first: what it has missed, or everything."""
    shown = watcher.shown
    known = last is not None and last.isascii() and last.isdigit() and len(last) < 10
    if last is None or not known or int(last) > shown.number:
        return shown.snapshot()
    events = await front.broker.store.jobs.since(watcher.feed.id, int(last))
    return shown.since(int(last), events)


def frame(message: Message) -> bytes:
    """A message as it goes over the wire; JSON has no line breaks of its own."""
    data = msgspec.json.encode(message.data)
    return f"event: {message.event}\nid: {message.number}\ndata: ".encode() + data + b"\n\n"
