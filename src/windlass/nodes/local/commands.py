"""Commands that change a gear: one at a time, killed when the call that wants them is."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from windlass.errors import Transient
from windlass.nodes.local.fence import LOOK_AGAIN, Held
from windlass.nodes.local.processes import family, started
from windlass.nodes.local.sandbox import Launch, launcher

TAIL = 64 << 10  # bytes of output that are looked at
KEPT = 1 << 20  # bytes of output that stay in a log
LAST_LINES = 20
DEATH = 10.0  # seconds that a killed process is waited for


@dataclass(frozen=True)
class Ended:
    """How a command has ended, and the end of what it said."""

    code: int
    tail: str

    @property
    def last_lines(self) -> str:
        """What a person is shown."""
        return "\n".join(self.tail.strip().splitlines()[-LAST_LINES:])


async def launch(held: Held, what: Launch, log: Path | None = None) -> Ended:
    """Run a confined program to its end."""
    with tempfile.TemporaryFile() as stdin:
        stdin.write(os.fsencode(what.record()))
        stdin.seek(0)
        return await run(held, launcher("-"), stdin=stdin.fileno(), log=log)


async def must(held: Held, *argv: str) -> None:
    """Run a program of the system that does not fail for reasons of ours."""
    ended = await run(held, list(argv), env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"})
    if ended.code != 0:
        raise Transient(f"{argv[0]} has failed: {ended.last_lines}")


async def run(
    held: Held,
    argv: list[str],
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command in a session of its own, which ends with this call.

    Output goes to a file: a pipe would stay open as long as anybody's grandchild lives.
    """
    held.check()
    with log.open("w+b") if log else tempfile.TemporaryFile() as output:
        async with group(held, argv, stdin, output.fileno(), env) as process:
            code = await process.wait()
        held.check()
        tail = end_of(output.fileno(), TAIL)
        if log and output.seek(0, os.SEEK_END) > KEPT:
            # Into the file that we hold, never by its name: what ran may have put a link there.
            kept = end_of(output.fileno(), KEPT).encode()
            output.seek(0)
            output.truncate()
            output.write(kept)
    return Ended(code, tail)


@asynccontextmanager
async def group(
    held: Held, argv: list[str], stdin: int, output: int, env: Mapping[str, str] | None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process with its group, written down while it lives, gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=stdin,
        stdout=output,
        stderr=output,
        cwd="/",
        env=env,
        start_new_session=True,
        pass_fds=(held.lock,),
    )
    try:
        held.note(process.pid)
        yield process
    finally:
        # Whom the leader has in its sandbox dies after it: the next try waits for them too.
        cut_off = [process.pid] if process.returncode is None else []
        left = [(pid, started(pid)) for pid in family(cut_off)]
        # Also when the leader has ended: without a sandbox others of its group may live on.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(DEATH):
                await asyncio.shield(process.wait())
                while any(since and started(pid) == since for pid, since in left):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_AGAIN)
    held.forget()


def end_of(file: int, size: int) -> str:
    """The last bytes of a file as text."""
    length = os.lseek(file, 0, os.SEEK_END)
    os.lseek(file, max(0, length - size), os.SEEK_SET)
    return os.read(file, size).decode(errors="replace")
