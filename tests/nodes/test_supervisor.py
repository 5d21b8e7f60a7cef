"""The supervisor keeps any program running, not only gears."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from windlass.errors import Refused, Transient
from windlass.nodes.local import supervisord
from windlass.nodes.local.processes import kill_group, started
from windlass.nodes.local.supervisor import Program, Supervisor
from windlass.nodes.local.supervisor_config import RUNS, Status

TELL = "import os, sys, time; open(sys.argv[1], 'w').write(os.environ['WORD']); time.sleep(1e6)"
DEADLINE = 60.0


@pytest.fixture
async def supervisor(tmp_path, short) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "100% of data; and more", short)
    yield supervisor
    await supervisor.shutdown()
    assert not await supervisor.running()


@pytest.fixture
def program(tmp_path) -> Program:
    argv = (sys.executable, "-c", TELL, str(tmp_path / "told"))
    return Program("router", argv, {"WORD": 'a "b" 100% #c ;d'}, tmp_path / "router.log")


async def told(path: Path, text: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            with contextlib.suppress(FileNotFoundError):
                if path.read_text() == text:
                    return
            await asyncio.sleep(0.02)


async def running(supervisor: Supervisor, name: str, but: int = 0) -> int:
    """The process of a program, once there is one other than `but`."""
    async with asyncio.timeout(DEADLINE):
        while True:
            status = (await supervisor.states()).get(name)
            if status and status.state in RUNS and status.pid not in (0, but):
                return status.pid
            await asyncio.sleep(0.02)


async def test_a_program_runs_with_its_environment_and_is_removed(supervisor, program, tmp_path):
    await asyncio.gather(supervisor.add(program), supervisor.add(program))
    await told(tmp_path / "told", 'a "b" 100% #c ;d')
    pid = await running(supervisor, "router")
    await supervisor.add(program)
    assert await running(supervisor, "router") == pid, "the same again changes nothing"
    await supervisor.remove("router")
    await supervisor.remove("router")
    assert started(pid) is None
    assert await supervisor.states() == {}
    assert supervisor.known() == set()


async def test_a_program_that_differs_is_replaced(supervisor, program, tmp_path):
    await supervisor.add(program)
    await told(tmp_path / "told", 'a "b" 100% #c ;d')
    await supervisor.add(replace(program, env={"WORD": "other"}))
    await told(tmp_path / "told", "other")


async def test_a_program_that_dies_is_started_again(supervisor, program):
    await supervisor.add(program)
    pid = await running(supervisor, "router")
    os.kill(pid, signal.SIGKILL)
    await running(supervisor, "router", but=pid)


async def test_a_program_comes_without_the_others_being_read(supervisor, program, tmp_path):
    other = replace(program, name="other", log=tmp_path / "other.log")
    await supervisor.add(other)
    pid = await running(supervisor, "other")
    supervisor.spot.program("other").write_text("this is no configuration")
    await supervisor.add(program)
    await running(supervisor, "router")
    assert await running(supervisor, "other") == pid


async def test_programs_are_remembered_while_the_supervisor_is_down(supervisor, program, tmp_path):
    await supervisor.add(program)
    await told(tmp_path / "told", 'a "b" 100% #c ;d')
    await supervisor.shutdown()
    (tmp_path / "told").unlink()
    assert await supervisor.states() == {}
    assert supervisor.known() == {"router"}
    await supervisor.ensure()
    await told(tmp_path / "told", 'a "b" 100% #c ;d')
    await supervisor.shutdown()
    await supervisor.remove("router")
    assert supervisor.known() == set()


async def test_a_name_that_could_leave_its_folder_is_refused(supervisor, program):
    for name in ("../x", "", "a b", "a\nb", ".x"):
        with pytest.raises(Refused):
            await supervisor.add(replace(program, name=name))


def test_nothing_is_signalled_that_is_not_the_process_meant():
    for pid in (-1, 0, 1, os.getpid()):
        kill_group(pid, 1)  # we would not get further


async def test_a_program_is_begun_without_its_launcher(supervisor, program, tmp_path, monkeypatch):
    """The daemon's child knows what to do: no other Python is started before the program."""
    monkeypatch.setattr(
        "windlass.nodes.local.supervisor.launcher", lambda record: ["/bin/false", record]
    )
    await supervisor.add(program)
    await told(tmp_path / "told", 'a "b" 100% #c ;d')


async def test_after_an_upgrade_it_is_begun_by_the_launcher_that_is_there(monkeypatch):
    """The daemon goes on with the code that it has; what keeps gears apart may be newer."""
    begun: list[str] = []
    monkeypatch.setattr(supervisord, "OURS", (0, 0, 0, 0))
    monkeypatch.setattr(os, "execve", lambda path, argv, env: begun.append(path))
    supervisord.Options().execve("python", ["python", "launch.py", "record"], {})
    assert begun == ["python"]


async def test_who_asks_while_others_do_shares_their_look(tmp_path, short):
    supervisor = Counting(tmp_path, short)
    seen = await asyncio.gather(*(supervisor.states() for _ in range(50)))
    assert supervisor.times <= 2
    assert all(one == seen[0] for one in seen)
    supervisor.troubles = 1
    found = await asyncio.gather(*(supervisor.states() for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [Transient, dict, dict]


class Counting(Supervisor):
    """Counts its looks; the next ones may go wrong."""

    times = troubles = 0

    def look(self) -> dict[str, Status]:
        self.times += 1
        if self.troubles:
            self.troubles -= 1
            raise Transient("away")
        return super().look()
