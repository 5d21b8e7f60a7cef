"""Submitting: the one way in for a request, whoever takes it."""

from collections.abc import Collection
from typing import Any

from windlass.engine.hooks import Hooks, told
from windlass.engine.job import Request
from windlass.engine.journal import Journal, Submitted
from windlass.engine.lease import JobId
from windlass.engine.operation import Hold, World
from windlass.engine.queue import Queue
from windlass.engine.ringing import ring


async def submit(
    journal: Journal, queue: Queue, world: World, request: Request, hooks: Hooks | None = None
) -> Submitted:
    """Accept a job, or refuse it; the queue and the hooks are told after the commit."""
    operation = request.operation

    async def reserve(transaction: Any, job: JobId) -> Collection[Hold]:
        return await operation.reserve(world.within(transaction, job))

    if hooks:
        await hooks.before_submit(request)
    submitted = await journal.submit(request, reserve if operation.reserves() else None)
    await ring(queue, submitted.nudges)
    if hooks and submitted.fresh:
        await told(hooks.after_submit(submitted.job, request), "after_submit", job=submitted.job)
    return submitted
