"""What keeps gears apart is taken away: by `down`, and after a crash by `doctor`."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from system.installation import Installation
from system.traces import traces
from windlass.folders import run_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can keep gears apart")


@pytest.fixture
def started() -> Iterator[Installation]:
    installation = Installation()
    with installation:
        installation.wait_until(installation.answers)
        yield installation


def test_down_leaves_nothing_and_up_brings_it_back(started):
    assert started.data
    assert len(traces(started.data)) > 5
    started.down()
    # A gear of another installation that begins at this moment may hold a disk a little longer.
    started.wait_until(lambda: traces(started.data) == [])
    started.start()
    started.wait_until(started.answers)


def test_after_a_crash_of_everything_what_was_started_is_started_and_nothing_else(started):
    """As after a reboot: no process, no run folder. `doctor` takes away what else is left."""
    assert started.data
    started.cli("app", "create", "quiet", "python")
    started.cli("app", "stop", "quiet")
    for pid, _ in started.processes():
        with suppress(ProcessLookupError):  # it has gone with another
            os.kill(pid, signal.SIGKILL)
    started.wait_until(lambda: not started.processes())
    shutil.rmtree(run_folder(started.data))
    assert len(traces(started.data)) > 5
    doctor = started.run_command(*started.tool("windlassd"), "doctor")
    assert "taken away: " in doctor
    started.wait_until(lambda: traces(started.data) == [])
    assert "leftovers    none" in started.run_command(*started.tool("windlassd"), "doctor")
    started.start()
    started.wait_until(started.answers)
    assert "stopped" in started.cli("app", "show", "quiet")
    states = started.cli("app", "list", "-o", "json")
    assert {one["name"]: one["state"] for one in json.loads(states)} == {
        "hello": "started",
        "quiet": "stopped",
    }
    quiet = started.get("quiet-demo.localhost")
    assert quiet is not None and quiet.status == 503
