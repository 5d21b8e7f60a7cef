"""The operator's hook: a command that hears of jobs that need a person."""

import asyncio
import json
import shlex

from windlass.engine.hooks import Hooks
from windlass.engine.job import Trouble
from windlass.engine.lease import Lease
from windlass.engine.tries import see_through

PATIENCE = 30.0  # seconds that the command may take


class CommandHooks(Hooks):
    """Runs a command line, without a shell, with one JSON object on its stdin.

    `{"event": "job.buried" or "job.failing", "job": 42, "kind": ..., "text": ...}`
    """

    def __init__(self, command: str) -> None:
        self.argv = shlex.split(command)

    async def on_bury(self, lease: Lease, kind: str, why: Trouble | None) -> None:
        """A job was buried."""
        await self.run("job.buried", lease, kind, text=why.text if why else None)

    async def on_failing(self, lease: Lease, kind: str, times: int) -> None:
        """The same operation keeps failing."""
        await self.run("job.failing", lease, kind, text=f"it has failed {times} times in a day")

    async def run(self, event: str, lease: Lease, kind: str, text: str | None) -> None:
        """Run the command; TimeoutError, and the command is killed, if it takes too long."""
        told = json.dumps({"event": event, "job": lease.job, "kind": kind, "text": text})
        process = await asyncio.create_subprocess_exec(
            *self.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        talking = asyncio.ensure_future(process.communicate(told.encode()))
        done, _ = await asyncio.wait({talking}, timeout=PATIENCE)
        if not done:
            process.kill()
            await see_through({talking})
            raise TimeoutError(f"the hook took longer than {PATIENCE:g} seconds")
