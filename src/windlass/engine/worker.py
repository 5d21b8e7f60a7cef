"""A worker: claims jobs, runs them side by side, settles them, and leaves in good order."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from windlass.engine.hooks import FAILING, Hooks, told
from windlass.engine.job import Phase, Trouble
from windlass.engine.journal import Claimed, Crew, End, Journal
from windlass.engine.keeper import Retention, keep_house
from windlass.engine.lease import JobId, Lease
from windlass.engine.operation import World
from windlass.engine.pulse import Beats, Pulse
from windlass.engine.queue import Nudge, Queue
from windlass.engine.ringing import ring
from windlass.engine.runner import Run, Signals
from windlass.engine.settled import Settled
from windlass.engine.tries import GRACE, see_through, take_out
from windlass.errors import LeaseLost, Transient

LOOK = 1.0  # seconds; in any case a worker looks into the datastore itself
HEED = 0.25  # seconds between looks for cancels of what runs here
BRIEF = 0.05  # seconds of a run; nobody is likely to have begun to wait for its end
STUMBLE = 1.0  # seconds until a job is tried again over which the engine itself stumbled
PATIENCE = 20.0  # seconds that steps have to end by themselves when the worker leaves
LAST = 5.0  # seconds for the datastore to answer who leaves; others find what it was not told

log = structlog.get_logger()


@dataclass
class Hand:
    """A job in hand: what tells its run, and the task that runs and settles it."""

    signals: Signals = field(default_factory=Signals)
    task: asyncio.Task[None] | None = None
    running: bool = False  # the run itself, and not its settling
    limit: asyncio.TimerHandle | None = None  # of a run that was cut off
    begun: float = 0.0  # by the loop's clock
    over: bool = False  # its slot is free, while its end is being written
    dropped: bool = False  # its job is ours by its row, and will be in nobody's hand

    def cut_off(self) -> None:
        """End the run, and never its settling; a try that is being ended may clean up first."""
        if self.running and self.limit is None and self.task and not self.task.cancelling():
            self.limit = self.task.get_loop().call_later(GRACE, take_out)
            self.task.cancel()

    @property
    def cut(self) -> bool:
        """Whether it was we who cancelled the run."""
        return self.limit is not None

    def ended(self) -> None:
        """The run has ended; what follows is not cut off."""
        self.running = False
        if self.limit is not None and self.task is not None:
            self.limit.cancel()
            self.limit = None
            self.task.uncancel()


class Worker:
    """One process's hands: `run` until `stop`; a second `stop` means now."""

    def __init__(
        self,
        journal: Journal,
        queue: Queue,
        world: World,
        crew: Crew,
        beats: Callable[[], Awaitable[Beats]],
        *,
        weights: Mapping[str, int] | None = None,
        retention: Retention | None = None,
        hooks: Hooks | None = None,
        recycle: int = 0,
    ) -> None:
        self.journal, self.queue, self.world, self.crew = journal, queue, world, crew
        self.beats = beats
        self.tubes = weights or dict.fromkeys(crew.tubes, 1)
        self.retention = retention or Retention()
        self.hooks = hooks
        self.left = recycle or None  # jobs until the process has had enough; None: never
        self.hands: dict[Lease, Hand] = {}
        self.settled = Settled()
        self.leaving = asyncio.Event()
        self.hurried = asyncio.Event()
        self.freed = asyncio.Event()
        self.awake = asyncio.Event()  # not paused
        self.awake.set()
        self.lost = False
        self.unsure = False  # a claim may have been made that we do not know of
        self.pulse: Pulse | None = None
        self.rings: asyncio.Future[None] | None = None  # kept, or it might be collected

    async def run(self) -> None:
        """Work until told to stop; hands over what does not end in time."""
        await self.journal.enlist(self.crew)
        self.pulse = Pulse(self.crew.id, self.beats, lost=self.die, freed=self.rung)
        self.pulse.start()
        helpers = [
            asyncio.ensure_future(keep_house(self.journal, self.queue, self.retention)),
            asyncio.ensure_future(self.heed()),
        ]
        log.info("worker.begins", worker=self.crew.id, tubes=sorted(self.tubes))
        try:
            await self.work()
            await self.drain()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self.leave()

    def stop(self) -> None:
        """Take nothing new and let steps end; the second time, end them."""
        if self.leaving.is_set():
            self.hurried.set()
        self.leaving.set()
        for hand in self.hands.values():
            hand.signals.drain.set()

    def pause(self) -> None:
        """Take nothing new until `resume`; what runs goes on."""
        self.awake.clear()

    def resume(self) -> None:
        """Take jobs again."""
        self.awake.set()

    # -- taking jobs -----------------------------------------------------------------------

    async def work(self) -> None:
        """Claim whenever there is room, until told to leave."""
        while not self.leaving.is_set():
            self.freed.clear()
            if self.unsure:
                await self.make_sure()
            if not self.awake.is_set():
                await self.first(self.rest(), self.leaving)
                continue
            room = self.room()
            if room <= 0:
                await self.first(self.freed.wait(), self.leaving)
                continue
            if await self.take(room) < room:
                await self.first(self.nudged(), self.leaving)

    async def rest(self) -> None:
        """Until we may go on, or for a second: what we have in hand goes on meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await self.awake.wait()

    def room(self) -> int:
        """How many jobs to claim now: those of free slots.

        The slot of a brief job is free while its end is still being written, which takes as long
        as the job itself. Otherwise the end comes first: it may make a more urgent job ready.
        """
        running = sum(not hand.over for hand in self.hands.values())
        return min(self.crew.slots - running, 2 * self.crew.slots - len(self.hands))

    async def take(self, room: int, job: JobId | None = None) -> int:
        """Claim up to `room` jobs and begin them; how many there were."""
        if self.left is not None:
            room = min(room, self.left)
        try:
            claimed = await self.claim(room, job)
        except Transient as error:
            log.warning("datastore.away", why=str(error))
            self.unsure = True
            await asyncio.sleep(LOOK / 4)
            return 0
        except LeaseLost:
            self.die()
            return 0
        except Exception:
            log.exception("worker.stumbled")
            self.unsure = True
            await asyncio.sleep(LOOK)
            return 0
        begun = sum(self.begin(one) for one in claimed)
        if self.left is not None:
            self.left -= begun
            if self.left == 0:
                log.info("worker.recycled", worker=self.crew.id)
                self.leaving.set()  # what runs is not hurried: the last jobs end as they like
        return len(claimed)

    async def claim(self, room: int, job: JobId | None) -> list[Claimed]:
        """Of several tubes each has its share by weight, and what one leaves is the others'."""
        if job is not None or len(self.tubes) == 1:
            return await self.journal.claim(self.crew, list(self.tubes), room, job)
        found: list[Claimed] = []
        total = sum(self.tubes.values())
        for tube, weight in sorted(self.tubes.items(), key=lambda item: -item[1]):
            share = min(max(room * weight // total, 1), room - len(found))
            if share > 0:
                found += await self.journal.claim(self.crew, [tube], share)
        if len(found) < room:
            found += await self.journal.claim(self.crew, list(self.tubes), room - len(found))
        return found

    async def make_sure(self) -> None:
        """Give back what is ours by the datastore and not in our hands; no claim is under way."""
        with contextlib.suppress(Transient, LeaseLost):
            await ring(self.queue, await self.journal.disown(self.crew.id, list(self.hands)))
            self.unsure = False

    async def nudged(self) -> None:
        """Wait for a nudge and follow it; after a while look anyway."""
        try:
            nudge = await self.queue.reserve(self.tubes, LOOK)
            if nudge is not None and nudge.job is not None:
                await self.take(1, nudge.job)
                await self.queue.delete(nudge)
        except Transient:
            await asyncio.sleep(LOOK)  # the queue says itself that it is away, and when it is back
        except Exception:
            log.exception("worker.stumbled")  # a queue's mistake; the datastore has the jobs
            await asyncio.sleep(LOOK)

    async def first(self, what: Coroutine[Any, Any, Any], or_else: asyncio.Event) -> None:
        """Until this has happened, or that."""
        task, other = asyncio.ensure_future(what), asyncio.ensure_future(or_else.wait())
        try:
            await asyncio.wait((task, other), return_when=asyncio.FIRST_COMPLETED)
        finally:
            other.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    # -- running them ----------------------------------------------------------------------

    def begin(self, claimed: Claimed) -> bool:
        """Begin a run beside the others, or know that it runs: a claim was lost and made again.

        That run may have heard of the loss already; so when it is over, we look what is ours.
        """
        if known := self.hands.get(claimed.lease):
            known.dropped = True
            return False
        lease, hand = claimed.lease, Hand(begun=asyncio.get_running_loop().time())
        if self.leaving.is_set():
            hand.signals.drain.set()
        if claimed.cancelled:
            hand.signals.cancel.set()
        hand.task = asyncio.create_task(self.see_to(claimed, hand))
        self.hands[lease] = hand  # by lease: the same job may come again before we are through
        hand.task.add_done_callback(lambda _: self.ended(lease))
        return True

    def ended(self, lease: Lease) -> None:
        """A slot is free."""
        self.unsure |= self.hands.pop(lease).dropped
        self.freed.set()

    async def see_to(self, claimed: Claimed, hand: Hand) -> None:
        """Carry a job out, whatever happens on the way."""
        lease = claimed.lease
        try:
            await self.carry_out(claimed, hand)
        except LeaseLost:
            log.warning("job.lost", job=lease.job, lease=lease.number)
            hand.dropped = True  # whatever else the datastore says is ours
        except Exception:
            log.exception("job.unsettled", job=lease.job)
            await asyncio.sleep(STUMBLE)
            hand.dropped = True

    async def carry_out(self, claimed: Claimed, hand: Hand) -> None:
        """Run a job and settle it; one whose record cannot be read is buried."""
        try:
            run = Run(self.journal, self.world, claimed, hand.signals, self.hooks)
        except Exception as error:
            log.exception("job.unreadable", job=claimed.lease.job)
            end = End(Phase.BURIED, None, trouble=Trouble.of(error))
            await self.journal.settle(claimed.lease, (), end)
            return await self.report(claimed, end)
        await self.settle(run, hand, await self.outcome(run, hand, run.run()))

    async def outcome(self, run: Run, hand: Hand, running: Coroutine[Any, Any, End]) -> End:
        """How a run ended, by itself or cut off."""
        hand.running, hand.over = True, False
        try:
            return await running
        except LeaseLost:
            raise
        except asyncio.CancelledError:
            if not hand.cut:
                raise
            return run.interrupted()
        except Exception as error:
            log.error("job.stumbled", job=run.claimed.lease.job, exc_info=error)
            return run.given_back(STUMBLE, crashed=True)
        finally:
            hand.ended()

    async def settle(self, run: Run, hand: Hand, end: End) -> None:
        """Make the end durable; back, if it was to be complete and is cancelled."""
        brief = asyncio.get_running_loop().time() - hand.begun < BRIEF
        if brief and self.crew.slots > 1 and not run.claimed.awaited:
            hand.over = True
            self.freed.set()
        events = run.pen.blot()
        nudges = await self.journal.settle(run.claimed.lease, events, end)
        if nudges is None:
            run.pen.take_up(events)
            back = await self.outcome(run, hand, run.take_back())
            return await self.settle(run, hand, back)
        self.settled.add(run.claimed.lease.job, run.claimed.kind, end.phase)
        await ring(self.queue, nudges)
        if end.phase in (Phase.BURIED, Phase.FAILED):
            await self.report(run.claimed, end)

    async def report(self, claimed: Claimed, end: End) -> None:
        """What a person should know of: in the log, and for the hooks."""
        lease, kind, hooks = claimed.lease, claimed.kind, self.hooks or Hooks()
        why = end.trouble.data() if end.trouble else {}
        if end.phase is Phase.BURIED:
            log.error("job.buried", job=lease.job, kind=kind, **why)
            return await told(hooks.on_bury(lease, kind, end.trouble), "on_bury", job=lease.job)
        await told(hooks.on_failure(lease, kind, end.trouble), "on_failure", job=lease.job)
        with contextlib.suppress(Transient):
            times = await self.journal.failures(lease.job)
            if times == FAILING:
                log.error("job.failing", job=lease.job, kind=kind, times=times, **why)
                await told(hooks.on_failing(lease, kind, times), "on_failing", job=lease.job)

    async def heed(self) -> None:
        """Pass on cancels of what runs here; let go when nobody can confirm that we live."""
        while True:
            await asyncio.sleep(HEED)
            if self.pulse is not None and self.pulse.faint:
                self.cut_off()
            try:
                await self.pass_on_cancels()
            except Transient:
                pass  # the datastore is away; the next look may find it
            except Exception:
                log.exception("worker.stumbled")

    async def pass_on_cancels(self) -> None:
        """Tell the runs of jobs that are to be taken back."""
        stopped = await self.journal.cancelled(self.held()) if self.hands else set()
        for lease, hand in self.hands.items():
            if lease.job in stopped:
                hand.signals.cancel.set()

    def held(self) -> list[JobId]:
        """The jobs in our hands."""
        return [lease.job for lease in self.hands]

    # -- leaving ---------------------------------------------------------------------------

    async def drain(self) -> None:
        """Wait for the steps that run; cut off what takes too long, and hand it over."""
        tasks = {hand.task for hand in self.hands.values() if hand.task is not None}
        if tasks and not self.lost:
            await self.first(asyncio.wait(tasks, timeout=PATIENCE), self.hurried)
        while any(hand.running for hand in self.hands.values()):
            self.cut_off()
            await asyncio.wait([task for task in tasks if not task.done()], timeout=HEED)
        if left := [task for task in tasks if not task.done()]:
            await asyncio.wait(left, timeout=LAST)
            if self.hands:
                log.warning("worker.abandons", jobs=self.held())
            await see_through([task for task in left if not task.done()])

    def cut_off(self) -> None:
        """End every run; the jobs are handed over."""
        for hand in self.hands.values():
            hand.cut_off()

    async def leave(self) -> None:
        """Out of the datastore's list, so that what is left is taken over at once."""
        if self.pulse is not None:
            self.pulse.stop()
            await asyncio.to_thread(self.pulse.join, LAST)
        if not self.lost:
            with contextlib.suppress(Transient, LeaseLost, TimeoutError):
                async with asyncio.timeout(LAST):
                    await ring(self.queue, await self.journal.retire(self.crew.id))
        log.info("worker.left", worker=self.crew.id)

    def die(self) -> None:
        """We were declared dead: others work on our jobs."""
        log.error("worker.declared_dead", worker=self.crew.id)
        self.lost = True
        self.leaving.set()
        self.cut_off()

    def rung(self, nudges: Collection[Nudge]) -> None:
        """The pulse has freed a dead worker's jobs."""
        log.warning("worker.rescued", jobs=[nudge.job for nudge in nudges])
        self.freed.set()
        self.rings = asyncio.ensure_future(ring(self.queue, nudges))
