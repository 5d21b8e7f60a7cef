"""One job, as far as it will go now."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from windlass.engine.elaboration import elaborate
from windlass.engine.hooks import Hooks, told
from windlass.engine.job import Phase, Trouble
from windlass.engine.journal import Claimed, End, EventKind, Journal
from windlass.engine.known import revive
from windlass.engine.operation import Operation, Step, World
from windlass.engine.pen import Pen
from windlass.engine.policy import CRASHES, USUAL, Direction, Retry, Verdict, verdict
from windlass.engine.record import Record, StepRow, StepState
from windlass.engine.tries import Tries, see_through
from windlass.errors import LeaseLost, Refused

AT_ONCE = 1.0  # seconds; a longer wait gives the job back
BEGINNING = {Direction.DO: EventKind.BEGUN, Direction.UNDO: EventKind.UNDOING}


class Turn(Exception):
    """Take the job back, for this reason."""

    def __init__(self, trouble: Trouble, cancelled: bool = False) -> None:
        self.trouble, self.cancelled = trouble, cancelled


class Bury(Exception):
    """Set the job aside, for this reason."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble


class Later(Exception):
    """Give the job back until then."""

    def __init__(self, due: float) -> None:
        self.due = due


class Drained(Exception):
    """The worker leaves; somebody else goes on."""


@dataclass
class Signals:
    """What a worker tells a run: that its job is cancelled, that the worker leaves."""

    cancel: asyncio.Event = field(default_factory=asyncio.Event)
    drain: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self) -> list[asyncio.Future[bool]]:
        """One to wait for each; whoever asks for them ends them."""
        return [asyncio.ensure_future(one.wait()) for one in (self.cancel, self.drain)]


class Run:
    """A claimed job on its way; `run` returns how it ended for now."""

    def __init__(
        self,
        journal: Journal,
        world: World,
        claimed: Claimed,
        signals: Signals,
        hooks: Hooks | None = None,
    ) -> None:
        self.claimed = claimed
        self.world = world.under(claimed.lease)
        self.record = Record.of(claimed.events)
        self.pen = Pen(journal, claimed.lease, self.record)
        self.journal = journal
        self.signals = signals
        self.hooks = hooks

    async def run(self) -> End:
        """Forward, or back, to the end or to the next long wait."""
        with Tries(self.hear) as tries:
            try:
                if self.claimed.crashes > CRASHES:
                    raise Bury(Trouble("Crashed", f"its worker died {CRASHES} times in a row"))
                if self.record.direction is Direction.DO:
                    try:
                        await self.forward(tries)
                        return self.end(Phase.COMPLETE)
                    except Turn as turn:
                        self.turn(turn)
                await self.back(tries)
                return self.end(Phase.CANCELLED if self.record.cancelled else Phase.FAILED)
            except Bury as bury:
                return self.end(Phase.BURIED, bury.trouble)
            except Later as later:
                return self.given_back(max(later.due - time.time(), 0.0))
            except Drained:
                return self.given_back()

    async def take_back(self) -> End:
        """A cancel was accepted after the last boundary: back, instead of complete."""
        self.turn(cancelled())
        return await self.run()

    def turn(self, turn: Turn) -> None:
        """From now on back; stored with the reason before anything is undone."""
        self.pen.note(EventKind.TURNED, trouble=turn.trouble.data(), cancelled=turn.cancelled)

    def given_back(self, due: float = 0.0, *, crashed: bool = False) -> End:
        """The job goes on elsewhere, in so many seconds."""
        phase = Phase.UNDOING if self.record.direction is Direction.UNDO else Phase.RETRYING
        return End(phase, self.record.percent, due=due, crashed=crashed)

    def interrupted(self) -> End:
        """The run was cut off: its tries count as nothing, and somebody else goes on."""
        for row in self.record.steps:
            if row.state in (StepState.RUNNING, StepState.UNDOING):
                self.pen.note(EventKind.INTERRUPTED, row.number)
        return self.given_back()

    def end(self, phase: Phase, trouble: Trouble | None = None) -> End:
        """How the job ended."""
        record = self.record
        reason = trouble or record.reason
        told = reason.data() if reason else None
        self.pen.note(EventKind.ENDED, phase=phase, trouble=told)
        return End(phase, record.percent, trouble=reason, history=record.history())

    # -- forward ---------------------------------------------------------------------------

    async def forward(self, tries: Tries) -> None:
        """Every stage that is not in effect yet, in order."""
        if not self.record.planned:
            await self.plan()
        for stage in self.record.stages():
            rows = [row for row in stage if row.state not in (StepState.DONE, StepState.SKIPPED)]
            if rows:
                self.boundary()
                if any(row.one_way for row in rows):
                    await self.promise()
                await self.together(rows, Direction.DO, tries)
        if not self.record.no_return and self.signals.cancel.is_set():
            raise cancelled()

    async def plan(self) -> None:
        """Elaborate: read, choose, and write the plan; what is refused here has touched nothing."""
        self.boundary()
        claimed = self.claimed
        for times in range(1, USUAL.attempts + 1):
            try:
                operation = revive(Operation, claimed.kind, claimed.version, claimed.data)
                steps = await elaborate(operation, self.world)
                return self.pen.note(EventKind.PLANNED, steps=steps)
            except LeaseLost:
                raise
            except Exception as error:
                if isinstance(error, Refused) or times == USUAL.attempts:
                    raise Turn(Trouble.of(error)) from error
            await self.pause(USUAL.delay(times))
            self.boundary()

    def boundary(self) -> None:
        """Between stages: here a cancel counts, and a worker may leave."""
        if self.signals.cancel.is_set() and not self.record.no_return:
            raise cancelled()
        if self.signals.drain.is_set():
            raise Drained

    async def promise(self) -> None:
        """The first one-way step is a promise that there is no way back."""
        if not self.record.no_return:
            await self.pen.flush()
            if not await self.journal.pass_no_return(self.claimed.lease):
                raise cancelled()

    # -- back ------------------------------------------------------------------------------

    async def back(self, tries: Tries) -> None:
        """Every step that has begun is taken back, the newest stage first."""
        for stage in reversed(self.record.stages()):
            rows = [row for row in stage if row.touched and row.state is not StepState.UNDONE]
            if rows:
                if self.signals.drain.is_set():
                    raise Drained
                await self.together(rows, Direction.UNDO, tries)

    # -- both ------------------------------------------------------------------------------

    async def together(self, rows: list[StepRow], direction: Direction, tries: Tries) -> None:
        """The steps of a stage, side by side; the first that fails for good ends the others.

        Tries are written down before they are made.
        """
        for row in rows:
            if row.due is None:  # others wait for their next try, and note its beginning then
                self.pen.note(BEGINNING[direction], row.number)
        await self.pen.flush()
        if len(rows) == 1:
            return await self.carry(rows[0], direction, tries)
        tasks = [asyncio.create_task(self.apart(row, direction)) for row in rows]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            while pending := [task for task in tasks if not task.done()]:
                if any(gave_up(task) for task in tasks):
                    break
                await self.pen.flush()  # what is done is seen, while the others go on
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await see_through([task for task in tasks if not task.done()])
        raise_worst([task.exception() for task in tasks if not task.cancelled()])

    async def apart(self, row: StepRow, direction: Direction) -> None:
        """One step, in a task of its own."""
        with Tries(self.hear) as tries:
            await self.carry(row, direction, tries)

    async def carry(self, row: StepRow, direction: Direction, tries: Tries) -> None:
        """One step, try after try, until it is in effect (or taken back)."""
        doing = direction is Direction.DO
        while True:
            if row.due is not None:
                await self.wait_for(row, row.due)
            error = await self.attempt(row, doing, tries)
            if error is None:
                kind = EventKind.DONE if doing else EventKind.UNDONE
                left = {} if tries.result is None else {"result": tries.result}
                return self.pen.note(kind, row.number, **left)
            await self.failed(row, error, direction)

    async def wait_for(self, row: StepRow, due: float) -> None:
        """The rest of the delay before a step's next try, and the note that it begins."""
        wait = due - time.time()
        if wait > AT_ONCE:
            raise Later(due)
        if wait > 0:
            await self.pen.flush()
            await self.pause(wait)
        if self.record.direction is Direction.DO:
            self.boundary()
        self.pen.note(BEGINNING[self.record.direction], row.number)
        await self.pen.flush()

    async def pause(self, seconds: float) -> None:
        """Wait; a cancel or a drain ends it."""
        told = self.signals.told()
        try:
            await asyncio.wait(told, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await see_through(told)

    async def attempt(self, row: StepRow, doing: bool, tries: Tries) -> Exception | None:
        """One try; what was interrupted by a drain or a lost database counts as nothing."""
        try:
            step = self.step(row)
        except Refused as unknown:
            return unknown
        lease = self.claimed.lease
        if self.hooks:
            await told(self.hooks.before_try(lease, row), "before_try", job=lease.job)
        act = step.do(self.world) if doing else step.undo(self.world)
        if doing and step.waits:
            error = await self.unless_told(row, act, step.timeout, tries)
        else:
            error = await tries.once(row.number, act, step.timeout)
        if isinstance(error, LeaseLost):
            raise error
        if self.hooks:
            await told(self.hooks.after_try(lease, row, error), "after_try", job=lease.job)
        return error

    async def unless_told(
        self, row: StepRow, act: Coroutine[Any, Any, None], timeout: float, outer: Tries
    ) -> Exception | None:
        """A try that merely waits, ended by a cancel or a drain: it counts as nothing."""

        async def trying() -> Exception | None:
            with Tries(self.hear) as tries:
                error = await tries.once(row.number, act, timeout)
                outer.result = tries.result
                return error

        task = asyncio.ensure_future(trying())
        both: list[asyncio.Future[Any]] = [task, *self.signals.told()]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self.pen.note(EventKind.INTERRUPTED, row.number)
                self.boundary()
            return await task
        finally:
            await see_through([one for one in both if not one.done()])

    def hear(self, step: int, line: str) -> None:
        """What a step says."""
        self.pen.note(EventKind.LOG, step, text=line)

    async def failed(self, row: StepRow, error: Exception, direction: Direction) -> None:
        """Note a failure, and say what follows it."""
        trouble, tries = Trouble.of(error, row.title), row.failures + 1
        retry = self.retry(row, error, direction)
        judged = verdict(error, tries, retry, direction, self.record.no_return)
        due = time.time() + retry.delay(tries) if judged is Verdict.AGAIN else None
        self.pen.note(EventKind.FAILED, row.number, trouble=trouble.data(), due=due)
        if judged is Verdict.UNDO:
            raise Turn(trouble)
        if judged is Verdict.BURY:
            raise Bury(trouble)

    def retry(self, row: StepRow, error: Exception, direction: Direction) -> Retry:
        """How patiently a step is tried; what is refused is not, and may not even be known."""
        if isinstance(error, Refused):
            return USUAL
        step = self.step(row)
        return step.retry if direction is Direction.DO else step.undo_retry

    def step(self, row: StepRow) -> Step[Any]:
        """A stored step as its class."""
        return revive(Step, row.kind, row.version, row.data)


def cancelled() -> Turn:
    """The turn that a user wished."""
    return Turn(Trouble("Cancelled", "it was cancelled"), cancelled=True)


def gave_up(task: asyncio.Future[None]) -> bool:
    """Whether a step will not go on by itself, so that its siblings should end."""
    return task.done() and (
        task.cancelled() or isinstance(task.exception(), Turn | Bury | LeaseLost)
    )


def raise_worst(errors: list[BaseException | None]) -> None:
    """What a stage came to: the unforeseen first, then bury, turn, drain, and the first due."""
    rank: dict[type, int] = {Bury: 1, Turn: 2, Drained: 3, Later: 4}
    found = sorted(filter(None, errors), key=lambda error: rank.get(type(error), 0))
    if found and isinstance(found[0], Later):
        raise Later(min(one.due for one in found if isinstance(one, Later)))
    if found:
        raise found[0]
