"""The children of `up`: kept running while it lives, ended in good order when it goes."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import DEVNULL
from asyncio.subprocess import Process as Running
from collections.abc import Callable, Mapping
from typing import IO

import structlog

from windlass.daemon.parent import child_environment
from windlass.daemon.standing import Process
from windlass.errors import Refused

QUICK = 5.0  # seconds; a child that ends sooner never really ran
TRIES = 5  # quick ends in a row until we give up
LAST_WORDS = 5.0  # seconds that a child has when it is told to end now

log = structlog.get_logger()
Changed = Callable[[Mapping[str, Process]], None]


class Family:
    """Named children: `keep` runs them again when they die, `end` stops them."""

    def __init__(
        self,
        verbs: Mapping[str, str],
        environ: Mapping[str, str],
        out: IO[bytes] | None,
        changed: Changed,
    ) -> None:
        self.verbs = verbs
        self.environ = {**environ, **child_environment()}
        self.out = out
        self.where = f"{out.name} says why" if out else "the lines above say why"
        self.changed = changed
        self.running: dict[str, Running] = {}

    async def keep(self) -> None:
        """Keep every child running; Refused when one dies at once again and again."""
        try:
            async with asyncio.TaskGroup() as group:
                for name in self.verbs:
                    group.create_task(self.keep_one(name))
        except ExceptionGroup as troubles:
            raise troubles.exceptions[0] from None  # all were cancelled with the first

    async def keep_one(self, name: str) -> None:
        """Start a child and, whenever it dies, start it again."""
        quick = 0
        while True:
            begun = time.monotonic()
            code = await (await self.start(name)).wait()
            quick = quick + 1 if time.monotonic() - begun < QUICK else 0
            pause = pause_after(quick)
            if pause is None:
                raise Refused(f"{name} ended at once {quick} times in a row; {self.where}")
            log.warning("child.died", name=name, code=code, again_in=pause)
            await asyncio.sleep(pause)

    async def start(self, name: str) -> Running:
        """Start a child, in a group of its own so that the terminal's Ctrl-C reaches only us."""
        child = await asyncio.create_subprocess_exec(
            *daemon_command(self.verbs[name]),
            env=self.environ,
            stdin=DEVNULL,
            stdout=self.out,
            stderr=self.out,
            process_group=0,
        )
        self.running[name] = child
        self.changed(self.living())
        return child

    def living(self) -> dict[str, Process]:
        """The children that are alive now."""
        seen = {name: Process.of(child.pid) for name, child in self.running.items()}
        return {name: process for name, process in seen.items() if process is not None}

    async def end(self, now: asyncio.Event) -> None:
        """Let the children finish what they do; once `now` is set, they must go."""
        self.signal(signal.SIGTERM)
        ended = asyncio.ensure_future(self.all_ended())
        hurry = asyncio.ensure_future(now.wait())
        await asyncio.wait({ended, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not ended.done():
            self.signal(signal.SIGTERM)
            await asyncio.wait({ended}, timeout=LAST_WORDS)
            self.signal(signal.SIGKILL)
        await ended
        self.changed({})

    async def all_ended(self) -> None:
        """Until no child is left."""
        await asyncio.gather(*(child.wait() for child in self.running.values()))

    def signal(self, number: int) -> None:
        """Send a signal to every child that still runs."""
        for child in self.running.values():
            if child.returncode is None:
                child.send_signal(number)


def pause_after(quick: int) -> float | None:
    """Seconds before a child that died is started again, after so many quick ends; None: never."""
    return None if quick >= TRIES else 0.2 * 2**quick


def daemon_command(verb: str) -> list[str]:
    """The command line of one of our own processes, with the Python that runs us."""
    return [sys.executable, "-m", "windlass.daemon.main", verb]
