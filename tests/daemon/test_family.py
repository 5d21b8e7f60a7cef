import asyncio
import os
import signal
import sys
from collections.abc import Mapping

import pytest

from windlass.daemon import family as families
from windlass.daemon.family import TRIES, Family, pause_after
from windlass.daemon.signals import Stop, first_of
from windlass.daemon.standing import Process
from windlass.errors import Refused

STAYS = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time, pathlib, sys; signal.signal(signal.SIGTERM, lambda *_: None);"
    "pathlib.Path(sys.argv[1]).touch(); [time.sleep(1) for _ in range(600)]"
)


@pytest.fixture
def seen(monkeypatch, tmp_path) -> list[Mapping[str, Process]]:
    """Children are pieces of Python here; what the family tells of them."""
    told: list[Mapping[str, Process]] = []
    monkeypatch.setattr(
        families,
        "daemon_command",
        lambda code: [sys.executable, "-c", code, str(tmp_path / "begun")],
    )
    return told


async def until(happened):
    async with asyncio.timeout(60):
        while True:
            if happened():
                return
            await asyncio.sleep(0.02)


async def test_a_child_that_dies_is_started_again(seen):
    family = Family({"api": STAYS}, os.environ, None, seen.append)
    keeping = asyncio.ensure_future(family.keep())
    await until(lambda: family.living())
    first = family.living()["api"]
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: family.living().get("api") not in (None, first))
    keeping.cancel()
    await family.end(asyncio.Event())
    assert family.living() == {}
    assert seen[-1] == {}


async def test_one_that_dies_at_once_again_and_again_is_given_up(seen, monkeypatch):
    monkeypatch.setattr(families, "pause_after", lambda quick: None if quick >= TRIES else 0.0)
    family = Family({"api": "raise SystemExit(3)"}, os.environ, None, seen.append)
    with pytest.raises(Refused, match="api ended at once"):
        await family.keep()
    assert len(seen) == TRIES


async def test_a_stubborn_child_goes_when_it_must_go_now(seen, tmp_path, monkeypatch):
    monkeypatch.setattr(families, "LAST_WORDS", 0.1)
    family = Family({"worker-1": STUBBORN}, os.environ, None, seen.append)
    keeping = asyncio.ensure_future(family.keep())
    await until((tmp_path / "begun").exists)
    keeping.cancel()
    now = asyncio.Event()
    ending = asyncio.ensure_future(family.end(now))
    await asyncio.sleep(0.3)
    assert family.living()
    now.set()
    await ending
    assert not family.living()


def test_pauses_grow_and_end():
    pauses = [pause_after(quick) for quick in range(TRIES)]
    assert all(isinstance(pause, float) for pause in pauses)
    assert pauses == sorted(pauses)
    assert pause_after(TRIES) is None


async def test_the_first_signal_asks_and_the_second_means_now():
    stop = Stop()
    stop.ask()
    assert (stop.asked.is_set(), stop.now.is_set()) == (True, False)
    stop.ask()
    assert stop.now.is_set()


async def test_the_first_that_ends_ends_the_others():
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            ended.append("long")

    await first_of(long(), asyncio.sleep(0))
    assert ended == ["long"]


async def test_the_error_of_the_first_that_ends_is_raised():
    async def fails() -> None:
        raise Refused("no")

    with pytest.raises(Refused):
        await first_of(fails(), asyncio.sleep(600))


PARENT = """
import subprocess, sys, os, pathlib, time
from windlass.daemon.parent import child_environment
code = "import os, time; from windlass.daemon.parent import die_with_parent;" \\
    "die_with_parent(os.environ); print(os.getpid(), flush=True); time.sleep(600)"
subprocess.run([sys.executable, "-c", code], env={**os.environ, **child_environment()})
"""


async def test_a_child_does_not_outlive_a_parent_that_is_killed():
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    child = Process.of(int(await parent.stdout.readline()))
    assert child and child.alive
    parent.kill()
    await parent.wait()
    await until(lambda: not child.alive)


async def test_a_child_whose_parent_is_gone_already_ends():
    code = (
        "import os; from windlass.daemon.parent import die_with_parent; die_with_parent(os.environ)"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={**os.environ, "WINDLASS_PARENT": "1"}
    )
    assert await child.wait() == 1
