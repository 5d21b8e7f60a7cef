"""What is settled together shares a line of the log."""

import asyncio

from structlog.testing import capture_logs

from windlass.engine.job import Phase
from windlass.engine.lease import JobId
from windlass.engine.settled import Settled


async def test_jobs_that_end_in_one_turn_share_a_line_for_each_kind_and_phase() -> None:
    settled = Settled()
    with capture_logs() as lines:
        settled.add(JobId(1), "create", Phase.COMPLETE)
        settled.add(JobId(2), "create", Phase.COMPLETE)
        settled.add(JobId(3), "create", Phase.FAILED)
        await asyncio.sleep(0)
        settled.add(JobId(4), "create", Phase.COMPLETE)
        await asyncio.sleep(0)
    assert [(one["phase"], one["job"]) for one in lines] == [
        (Phase.COMPLETE, "1,2"),
        (Phase.FAILED, "3"),
        (Phase.COMPLETE, "4"),
    ]
