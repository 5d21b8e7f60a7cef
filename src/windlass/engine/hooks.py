"""Hooks: what an engine's user may do around jobs, as backburner's and Resque's users are used to.

Those around submitting run in the process that submits, all others in the worker, beside the work.
One that fails is logged, and changes nothing; only `before_submit` has a say.
"""

from collections.abc import Awaitable
from typing import Any

import structlog

from windlass.engine.job import Request, Trouble
from windlass.engine.lease import JobId, Lease
from windlass.engine.record import StepRow

log = structlog.get_logger()

FAILING = 3  # failures of one operation on one target in a day


class Hooks:
    """Override what you need.

    None is called twice for the same thing by one process; a process that dies may have called
    none, and who goes on with its job may call one again.
    """

    async def before_submit(self, request: Request) -> None:
        """A request has come, perhaps again; Refused makes it none, and so does any other error."""

    async def after_submit(self, job: JobId, request: Request) -> None:
        """A new job was accepted and is durable; a worker may be at it already."""

    async def before_try(self, lease: Lease, step: StepRow) -> None:
        """A step is about to be tried (or taken back)."""

    async def after_try(self, lease: Lease, step: StepRow, error: Exception | None) -> None:
        """A try has ended, well or with this error."""

    async def on_failure(self, lease: Lease, kind: str, why: Trouble | None) -> None:
        """A job was taken back and has failed."""

    async def on_failing(self, lease: Lease, kind: str, times: int) -> None:
        """The same operation on the same target has failed for the third time in a day."""

    async def on_bury(self, lease: Lease, kind: str, why: Trouble | None) -> None:
        """A job was buried: somebody has to look at it."""


async def told(hook: Awaitable[None], name: str, **about: Any) -> None:
    """Run a hook; its failure is its own."""
    try:
        await hook
    except Exception:
        log.exception("hook.failed", hook=name, **about)
