"""What keeps gears apart is taken away: by `down`, and after a crash by `doctor`."""

import os
import signal
from collections.abc import Iterator

import pytest

from system.installation import Installation
from system.traces import traces

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
    assert traces(started.data) == []
    started.start()
    started.wait_until(started.answers)


def test_what_a_crash_has_left_doctor_takes_away(started):
    """As after a loss of all processes at once; up would have found them again, too."""
    assert started.data
    for pid, _ in started.processes():
        os.kill(pid, signal.SIGKILL)
    started.wait_until(lambda: not started.processes())
    assert len(traces(started.data)) > 5
    doctor = started.run_command(*started.tool("windlassd"), "doctor")
    assert "taken away: " in doctor
    assert traces(started.data) == []
    assert "leftovers    none" in started.run_command(*started.tool("windlassd"), "doctor")
    started.start()
    started.wait_until(started.answers)
