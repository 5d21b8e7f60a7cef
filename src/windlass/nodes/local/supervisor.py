"""A supervisord of our own: it outlives the process that started it, and so do its programs."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from xmlrpc.client import Fault

from supervisor.xmlrpc import Faults

from windlass.errors import Refused, Transient
from windlass.nodes.local.files import in_thread, locked, write
from windlass.nodes.local.processes import kill_group, started
from windlass.nodes.local.rpc import AWAY, NOBODY, server
from windlass.nodes.local.sandbox import Launch, launcher
from windlass.nodes.local.supervisor_config import (
    NAMESPACE,
    RUNS,
    Spot,
    Status,
    daemon,
    program,
)

T = TypeVar("T")
DAEMON = "windlass.nodes.local.supervisord"  # run by a Python of its own, and not imported here
LOOK_AGAIN = 0.05  # seconds between two looks at a program that stops
YOUNG = 10  # seconds: a program that began so shortly before may not have heard
SAY_AGAIN = 0.5  # seconds
OLDER = (
    "the supervisor of the gears is of an older windlass: run `windlassd down`, then `windlassd up`"
)
GONE = 60.0  # seconds in which everything has stopped at a shutdown


@dataclass(frozen=True)
class Program:
    """What the supervisor keeps running."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    user: int | None = None  # a uid; our own if none
    directory: Path = Path("/")
    autorestart: bool = True
    stop_seconds: int = 10  # from SIGTERM to SIGKILL, each to the whole process group
    launch: Launch | None = field(default=None)  # in a sandbox; then it alone says what is run

    def record(self) -> str:
        """What the launcher becomes."""
        if self.launch is not None:
            return self.launch.record()
        where = str(self.directory)
        return Launch(tuple(self.argv), dict(self.env), where, self.user).record()


class Supervisor:
    """The supervisor of one data folder. Every call may come from any process, and twice."""

    def __init__(self, data: Path, run: Path, pool: Executor | None = None) -> None:
        self.spot = Spot(data / "supervisor", run / "supervisor.sock")
        self.pool = pool or ThreadPoolExecutor(2, thread_name_prefix="supervisor")
        self.looking = asyncio.Lock()
        self.looks = 0  # that have begun
        self.seen: dict[str, Status] = {}  # by the last

    async def running(self) -> bool:
        """Whether it answers."""
        return await self.off(self.pid) is not None

    async def gone(self) -> bool:
        """Whether there is none; one that is slow to answer is there."""
        return not await self.off(self.tell, "supervisor.getPID")

    async def ensure(self) -> None:
        """Start it, and with it the programs that it knows, unless it runs."""
        await self.off(self.begin)

    async def add(self, program: Program) -> None:
        """Run this program from now on; one of the same name that differs is replaced."""
        if await self.off(self.differs, program):
            await self.remove(program.name)
        if not await self.off(self.introduce, program):
            await self.ensure()  # it begins with what it finds

    async def remove(self, name: str) -> None:
        """Stop the program, first kindly, and forget it."""
        before = (await self.states()).get(name)
        await self.off(self.stop, name)
        await self.stopped({name: before} if before else {})
        await self.off(self.forget, name)

    async def stopped(self, before: Mapping[str, Status]) -> None:
        """Wait until none of these programs runs, which were as they are told here."""
        deaf = {name for name, one in before.items() if one.age < YOUNG and self.sandboxed(name)}
        again = time.monotonic() + SAY_AGAIN
        while alive := {
            name: now
            for name, now in (await self.states()).items()
            if name in before and now.state in RUNS
        }:
            await asyncio.sleep(LOOK_AGAIN)
            await asyncio.gather(*(self.off(self.stop, name) for name in alive))
            if time.monotonic() > again:
                again = time.monotonic() + SAY_AGAIN
                for name in alive.keys() & deaf:
                    kill_group(alive[name].pid, started(alive[name].pid), signal.SIGTERM)

    def sandboxed(self, name: str) -> bool:
        """Whether SIGTERM is lost that comes before the program is there: bubblewrap ignores it."""
        try:
            return b"\0program=" in self.spot.record(name).read_bytes()
        except FileNotFoundError:
            return False

    async def states(self) -> dict[str, Status]:
        """Every program that the supervisor has; none where it does not run.

        Of all that ask while a look is going on, one looks again and the others see the same: with
        a hundred gears that come up together, each would wait for a hundred answers otherwise.
        """
        wanted = self.looks + 1
        async with self.looking:
            if self.looks < wanted:
                self.looks += 1
                try:
                    self.seen = await self.off(self.look)
                except BaseException:
                    self.looks -= 1  # nothing was seen: the next in line looks
                    raise
            return self.seen

    def known(self) -> set[str]:
        """The programs that it is to run, whether it runs or not."""
        return {path.stem for path in self.spot.programs.glob("*.conf")}

    async def shutdown(self) -> None:
        """Stop every program and the supervisor; leaves no process."""
        pid = await self.off(self.pid)
        if pid is None:
            return
        since = started(pid)
        before = await self.states()
        groups = [(one.pid, started(one.pid)) for one in before.values()]
        with suppress(TimeoutError, Transient):
            # By itself it would stop one after the other.
            async with asyncio.timeout(GONE):
                await asyncio.gather(*(self.off(self.stop, name) for name in before))
                await self.stopped(before)
        await self.off(self.end)
        deadline = time.monotonic() + GONE
        while since is not None and started(pid) == since:
            if time.monotonic() > deadline:
                for group in [(pid, since), *groups]:
                    kill_group(*group)
            await asyncio.sleep(LOOK_AGAIN)

    async def off(self, work: Callable[..., T], *args: Any) -> T:
        """Do blocking work in a thread."""
        try:
            return await in_thread(self.pool, work, *args)
        except AWAY as error:
            raise Transient(f"the supervisor of the gears does not answer: {error}") from None

    def pid(self) -> int | None:
        """Its process, if it answers."""
        try:
            with server(self.spot.socket) as rpc:
                pid: Any = rpc.supervisor.getPID()
                return int(pid)
        except AWAY:
            return None

    def begin(self) -> None:
        """Start the daemon under a lock, so that two who want it start one."""
        self.spot.make()
        with locked(self.spot.lock):
            if self.pid() is not None:
                return
            self.spot.socket.unlink(missing_ok=True)
            for half in self.spot.programs.glob(".*.new"):  # by someone who was killed writing
                half.unlink()
            write(self.spot.config, daemon(self.spot))
            done = subprocess.run(
                [sys.executable, "-m", DAEMON, "-c", str(self.spot.config)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                cwd="/",
                start_new_session=True,
            )
            if done.returncode != 0:
                said = (done.stderr + done.stdout).strip()[-2000:]
                raise Transient(f"the supervisor of the gears does not start: {said}")
        self.answered()

    def answered(self) -> None:
        """Wait until it answers: it has gone into the background before it listens to us."""
        deadline = time.monotonic() + GONE
        while self.pid() is None:
            if time.monotonic() > deadline:
                raise Transient("the supervisor of the gears does not answer")
            time.sleep(LOOK_AGAIN)

    def differs(self, wanted: Program) -> bool:
        """Whether a program of this name is there and is another."""
        try:
            return self.spot.record(wanted.name).read_bytes() != os.fsencode(wanted.record())
        except FileNotFoundError:
            return False

    def introduce(self, wanted: Program) -> bool:
        """Write the program's files and let the supervisor start it; false where none runs."""
        name, file = wanted.name, self.spot.program(wanted.name)
        command = shlex.join(launcher(str(self.spot.record(name))))
        self.spot.make()
        with locked(self.spot.lock):
            write(self.spot.record(name), wanted.record())
            write(file, program(name, command, wanted.log, wanted.autorestart, wanted.stop_seconds))
            fine = (Faults.ALREADY_STARTED, Faults.SPAWN_ERROR, Faults.ABNORMAL_TERMINATION)
            return self.tell(f"{NAMESPACE}.run", name, str(file), fine=fine)

    def stop(self, name: str) -> None:
        """Begin to stop a program; what does not run has no programs that do."""
        fine = (Faults.BAD_NAME, Faults.NOT_RUNNING)
        self.tell("supervisor.stopProcess", name, False, fine=fine)

    def forget(self, name: str) -> None:
        """Remove a stopped program's files, and the program."""
        if not self.spot.programs.is_dir():
            return
        with locked(self.spot.lock):
            self.spot.program(name).unlink(missing_ok=True)
            self.spot.record(name).unlink(missing_ok=True)
            self.tell("supervisor.removeProcessGroup", name, fine=(Faults.BAD_NAME,))

    def look(self) -> dict[str, Status]:
        """What the supervisor says of its programs."""
        try:
            with server(self.spot.socket) as rpc:
                told: Any = rpc.supervisor.getAllProcessInfo()
        except AWAY:
            return {}
        return {
            one["name"]: Status(one["state"], one["pid"], one["now"] - one["start"]) for one in told
        }

    def end(self) -> None:
        """Tell it to stop everything."""
        self.tell("supervisor.shutdown", fine=(Faults.SHUTDOWN_STATE,))

    def tell(self, call: str, *params: Any, fine: tuple[int, ...] = ()) -> bool:
        """Have it do this, where these faults are as good; false where no supervisor runs."""
        try:
            with server(self.spot.socket) as rpc:
                getattr(rpc, call)(*params)
        except NOBODY:
            return False
        except Fault as fault:
            if fault.faultCode in fine:
                return True
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise Transient("the supervisor of the gears is stopping") from None
            if fault.faultCode == Faults.UNKNOWN_METHOD:
                raise Refused(OLDER) from None
            raise Refused(f"the supervisor of the gears refuses: {fault.faultString}") from None
        return True
