"""Talking to one beanstalkd: a connection, and the thread in which its blocking calls happen."""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import greenstalk
import structlog

from windlass.engine.lease import JobId
from windlass.engine.queue import Nudge
from windlass.queues.reach import Reach

PREFIX = "windlass-"  # of tubes: others may use the same server
ANSWER = 5.0  # seconds; longer than any wait that is asked for
TTR = 10  # seconds until a nudge whose holder hangs comes back; a dead one's comes back at once
SOON = 0.1  # seconds of rest while the server only says that a nudge will come back soon
URGENT, PATIENT = 0, 2**32 - 1  # the priorities that beanstalkd knows
ID = re.compile(rb"[0-9]{1,18}")

# The last two are what greenstalk raises when something else than beanstalkd answers.
ERRORS = (OSError, greenstalk.Error, AssertionError, ValueError)

Address = tuple[str, int]
T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True)
class Receipt:
    """By this a nudge is found again: numbers mean nothing on another connection."""

    talk: "Talk"
    number: int


class Talk:
    """A connection; used by one thread only."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address, timeout=ANSWER)
        self.client = greenstalk.Client(self.socket, encoding=None)
        self.used, self.watched = "default", {"default"}

    def knock(self) -> None:
        """Whether anybody answers: a stopped server's system still accepts connections."""
        self.client.using()

    def put(self, nudges: Sequence[Nudge]) -> None:
        """Ring for these jobs, in this order."""
        for nudge in nudges:
            if (tube := PREFIX + nudge.tube) != self.used:
                self.client.use(tube)
                self.used = tube
            urgency = min(max(nudge.priority, URGENT), PATIENT)
            self.client.put(str(nudge.job).encode("ascii"), priority=urgency, ttr=TTR)

    def seek(self, order: Sequence[str], seconds: int) -> Nudge | None:
        """A nudge of the first tube that has one, or the first that comes in this time."""
        for tube in order:
            self.watch({PREFIX + tube})
            if (nudge := self.reserve(0)) is not None:
                return nudge
        if not seconds:
            return None
        self.watch({PREFIX + tube for tube in order})
        return self.reserve(seconds)

    def watch(self, tubes: Collection[str]) -> None:
        """Reserve from these tubes and no others; there is always one that is watched."""
        for tube in set(tubes) - self.watched:
            self.client.watch(tube)
        for tube in self.watched - set(tubes):
            self.client.ignore(tube)
        self.watched = set(tubes)

    def reserve(self, seconds: int) -> Nudge | None:
        """The next nudge of the watched tubes; what is none is buried, for a person to see."""
        try:
            job = self.client.reserve(seconds)
            about = self.client.stats_job(job)
        except (greenstalk.TimedOutError, greenstalk.NotFoundError):
            return None
        except greenstalk.DeadlineSoonError:
            time.sleep(SOON)
            return None
        if not ID.fullmatch(job.body):
            log.warning("queue.not_a_nudge", tube=about["tube"], body=repr(job.body[:40]))
            self.client.bury(job)
            return None
        tube = about["tube"].removeprefix(PREFIX)
        return Nudge(tube, JobId(int(job.body)), about["pri"], Receipt(self, job.id))

    def delete(self, receipt: Receipt) -> None:
        """Away with it, unless its time was over and the server has taken it back."""
        if receipt.talk is self:
            with contextlib.suppress(greenstalk.NotFoundError):
                self.client.delete(receipt.number)

    def release(self, receipt: Receipt, priority: int) -> None:
        """Back to where it was."""
        if receipt.talk is self:
            with contextlib.suppress(greenstalk.NotFoundError):
                self.client.release(greenstalk.Job(receipt.number, b""), priority)

    def hang_up(self) -> None:
        """End the connection, also under the feet of a call that waits in its thread."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class Line:
    """A connection that is made when it is needed and made again when it breaks."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.talk: Talk | None = None
        self.closing = False
        self.thread = ThreadPoolExecutor(1, "beanstalkd")
        name = f"beanstalkd at {address[0]}:{address[1]}"
        self.reach = Reach(name, lambda: self.run(Talk.knock), ERRORS)

    async def ask(self, what: Callable[[Talk], T]) -> T:
        """What the server answers; Transient while it is away."""
        return await self.reach.call(lambda: self.run(what))

    async def run(self, what: Callable[[Talk], T]) -> T:
        """Do it in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, self.work, what)

    def work(self, what: Callable[[Talk], T]) -> T:
        """Do it, once more if the connection was lost while nobody looked (a restart)."""
        fresh = self.talk is None
        try:
            return self.attempt(what)
        except ConnectionError:
            if fresh or self.closing:
                raise
            return self.attempt(what)

    def attempt(self, what: Callable[[Talk], T]) -> T:
        """Do it; after an error nobody knows where the conversation stands, so it is ended."""
        talk = self.talk = self.talk or Talk(self.address)
        try:
            return what(talk)
        except ERRORS:
            self.talk = None
            talk.client.close()
            raise

    async def close(self) -> None:
        """End the connection and the thread."""
        self.closing = True
        await self.reach.close()
        if self.talk is not None:
            self.talk.hang_up()
        await asyncio.to_thread(self.thread.shutdown, cancel_futures=True)
        if self.talk is not None:
            self.talk.client.close()
