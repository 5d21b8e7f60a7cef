"""Watching jobs: one reader a job, however many watch, and nobody's slowness costs memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from windlass.api.wire import Json
from windlass.engine.journal import Event, EventKind
from windlass.engine.lease import JobId
from windlass.errors import NotFound, Transient
from windlass.store.bell import listening
from windlass.store.database import Database
from windlass.store.jobs import Jobs, View
from windlass.store.summary import Pulse, Summary

ROOM = 256  # messages that wait for one watcher
REST = 0.02  # seconds between looks, however often the bell rings
LOOK = 15.0  # seconds until we look without being told
PAUSE = 1.0  # seconds after a look that failed
WHOLE = (EventKind.PLANNED, EventKind.TURNED, EventKind.KICKED)  # change many steps at once

log = structlog.get_logger()


@dataclass(frozen=True)
class Message:
    """One message of a stream; `number` is that of the newest event that it tells of."""

    event: str
    number: int
    data: Json


@dataclass(frozen=True)
class Shown:
    """A job as it was last seen."""

    job: Json
    number: int
    ended: bool

    @property
    def brief(self) -> Json:
        """The job without its steps."""
        return {name: value for name, value in self.job.items() if name != "steps"}

    def snapshot(self) -> list[Message]:
        """All there is to say."""
        return [Message("snapshot", self.number, self.job), *self.end()]

    def end(self) -> list[Message]:
        """That it has ended, if it has."""
        return [Message("end", self.number, self.job)] if self.ended else []

    def since(self, number: int, events: Sequence[Event]) -> list[Message]:
        """What one who knows everything up to an event must be told."""
        events = [event for event in events if number < event.number <= self.number]
        if any(event.kind in WHOLE for event in events):
            # Until the snapshot is through, resuming must bring it: so the logs keep the old id.
            logs = [log_line(event, number) for event in events if event.kind is EventKind.LOG]
            told = [*logs, Message("snapshot", self.number, self.job)]
        else:
            told = self.steps(events) or [Message("job", self.number, {"job": self.brief})]
        return [*told, *self.end()]

    def steps(self, events: Sequence[Event]) -> list[Message]:
        """Lines of the log, and each step where its last event stands, as it is now."""
        last = {one.step: one.number for one in events if one.kind is not EventKind.LOG}
        steps = self.job["steps"]
        told = []
        for event in events:
            if event.kind is EventKind.LOG:
                told.append(log_line(event, event.number))
            elif event.step is not None and last[event.step] == event.number:
                data = {"job": self.brief, "step": steps[event.step]}
                told.append(Message("step", event.number, data))
        return told


def log_line(event: Event, number: int) -> Message:
    """A line of a step's log."""
    return Message("log", number, {"step": event.step, "text": str(event.detail.get("text", ""))})


class Watcher:
    """One who watches: a mailbox that overflows into a snapshot."""

    def __init__(self, feed: "Feed") -> None:
        self.feed = feed
        self.box: deque[Message] = deque()
        self.bell = asyncio.Event()
        self.behind = False

    @property
    def shown(self) -> Shown:
        """The job as it is."""
        assert self.feed.shown is not None, "a watcher begins with a look"
        return self.feed.shown

    def put(self, messages: Sequence[Message]) -> None:
        """Leave messages; where there is no room, the watcher will get a snapshot instead."""
        if len(self.box) + len(messages) > ROOM:
            self.box.clear()
            self.behind = True
        else:
            self.box.extend(messages)
        self.bell.set()

    async def news(self, patience: float) -> bool:
        """Wait until there are messages; false when the patience is over."""
        try:
            async with asyncio.timeout(patience):
                await self.bell.wait()
        except TimeoutError:
            return False
        return True

    def take(self) -> list[Message]:
        """The messages that are there."""
        self.bell.clear()
        found = self.shown.snapshot() if self.behind else list(self.box)
        self.behind = False
        self.box.clear()
        return found


@dataclass(eq=False)
class Feed:
    """A job that is watched."""

    id: JobId
    shown: Shown | None = None
    pulse: Pulse | None = None
    watchers: set[Watcher] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Hub:
    """Reads what is watched, when something was written."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        summary: Summary,
        render: Callable[[View], Awaitable[Json]],
    ) -> None:
        self.database, self.jobs, self.summary, self.render = database, jobs, summary, render
        self.feeds: dict[JobId, Feed] = {}
        self.task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, id: JobId) -> AsyncIterator[Watcher]:
        """Watch a job: `shown` now, then messages as things happen."""
        feed = self.feeds.setdefault(id, Feed(id))
        watcher = Watcher(feed)
        feed.watchers.add(watcher)
        try:
            if self.task is None or self.task.done():
                self.task = asyncio.create_task(self.listen())
            await self.look(feed)
            if feed.shown is None:
                raise NotFound(f"there is no job {id}")
            watcher.take()  # what `shown` tells already
            yield watcher
        finally:
            feed.watchers.discard(watcher)
            if not feed.watchers:
                self.feeds.pop(id, None)

    async def listen(self) -> None:
        """Look at what is watched, whenever the bell rings, while anything is."""
        async with listening(self.database) as bell:
            while self.feeds:
                try:
                    await self.look_around()
                    await asyncio.sleep(REST)
                    await bell.wait(LOOK)
                except Transient as error:
                    log.warning("watching.away", why=str(error))
                    await asyncio.sleep(PAUSE)
                except Exception:
                    # Whatever it is, those who watch must not wait for a reader that is no more.
                    log.exception("watching.failed")
                    await asyncio.sleep(PAUSE)

    async def look_around(self) -> None:
        """One read for all the jobs, and one more for each that has changed."""
        feeds = [feed for feed in self.feeds.values() if not (feed.shown and feed.shown.ended)]
        pulses = await self.summary.pulses([feed.id for feed in feeds]) if feeds else {}
        for feed in feeds:
            # What a job waits for changes without a word from the job itself.
            waits = feed.shown is not None and feed.shown.job["waiting_for"]
            if waits or feed.pulse is None or pulses.get(feed.id) != feed.pulse:
                feed.pulse = pulses.get(feed.id)
                await self.look(feed)

    async def look(self, feed: Feed) -> None:
        """Read a job, and tell its watchers what is new."""
        async with feed.turn:
            view = await self.jobs.get(feed.id)
            if view is None:
                return lose(feed)
            shown = Shown(await self.render(view), view.number, view.phase.ended)
            before = feed.shown
            if before is None or before == shown:
                feed.shown = shown
                return
            # After the view, and no further than it: nothing falls between the two.
            events = await self.jobs.since(feed.id, before.number)
            feed.shown = shown
            tell(feed, shown.since(before.number, events))

    async def close(self) -> None:
        """Listen no more."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})


def tell(feed: Feed, messages: Sequence[Message]) -> None:
    """Leave messages with all who watch."""
    for watcher in feed.watchers:
        watcher.put(messages)


def lose(feed: Feed) -> None:
    """The job was forgotten: for those who watch, what they saw last was its end."""
    if feed.shown is not None and not feed.shown.ended:
        feed.shown = Shown(feed.shown.job, feed.shown.number, ended=True)
        tell(feed, feed.shown.end())
