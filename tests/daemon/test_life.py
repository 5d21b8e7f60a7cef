"""The life of `up`: what dies with it, what outlives it, and what the next one completes."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from system.installation import Installation
from system.machine import free_ports
from windlass.daemon.standing import Standing

WITHOUT_GEARS = {"WINDLASS_NODE": "memory:", "WINDLASS_NO_QUICKSTART": "yes"}


@pytest.fixture
def fresh():
    """An installation that nobody has started yet."""
    installation = Installation()
    yield installation
    installation.destroy()


def standing_of(installation: Installation) -> Standing:
    assert installation.data
    standing = Standing.read(installation.data)
    assert standing
    return standing


def test_what_a_killed_up_leaves_is_applications_that_answer(fresh):
    fresh.start()
    fresh.wait_until(fresh.answers)
    broker = standing_of(fresh).children
    assert {"api", "worker-1"} <= set(broker)

    fresh.kill()
    fresh.wait_until(lambda: not any(child.alive for child in broker.values()))
    assert fresh.answers()

    fresh.start()
    fresh.wait_until(fresh.answers)


@pytest.mark.parametrize("sign", ["admin-password", "hello"])
def test_a_first_start_that_was_killed_is_completed_by_the_next(fresh, sign):
    fresh.launch()
    assert fresh.data
    password = fresh.data / "admin-password"
    fresh.wait_until(password.exists if sign == "admin-password" else lambda: sign in fresh.log())
    fresh.kill()

    fresh.start()
    fresh.wait_until(fresh.answers)
    assert "hello" in fresh.cli("app", "list")


def test_up_is_ready_though_the_queue_is_away_and_status_says_so(fresh):
    (port,) = free_ports(1)  # where nobody listens
    fresh.settings = {**WITHOUT_GEARS, "WINDLASS_QUEUE": f"redis://127.0.0.1:{port}"}
    fresh.start()
    assert "the queue is away; jobs are accepted and run all the same" in fresh.log()
    fresh.cli("domain", "create", "demo")
    fresh.cli("app", "create", "shop", "python")
    status = subprocess.run(
        [*fresh.tool("windlassd"), "status"], env=fresh.environ, capture_output=True, text=True
    )
    assert status.returncode == 1
    assert re.search(r"^api +ill +http:.*; away: queue$", status.stdout, re.MULTILINE)
    assert re.search(r"^worker-1 +runs", status.stdout, re.MULTILINE)


def test_a_worker_that_dies_is_started_again():
    with Installation(WITHOUT_GEARS) as installation:
        first = standing_of(installation).children["worker-1"]
        first.signal(signal.SIGKILL)
        installation.wait_until(
            lambda: standing_of(installation).children.get("worker-1") not in (None, first)
        )
        assert "worker-1" in installation.run_command(*installation.tool("windlassd"), "status")


def test_a_supervisor_that_dies_is_started_again_with_all_that_ran(fresh):
    fresh.start()
    fresh.wait_until(fresh.answers)
    assert fresh.data
    written = fresh.data / "supervisor" / "supervisord.pid"
    first = int(written.read_text())
    os.kill(first, signal.SIGKILL)
    doctor = fresh.run_command(*fresh.tool("windlassd"), "doctor")
    assert "taken away" not in doctor, "what gears stand on is theirs while `up` is there"
    fresh.wait_until(lambda: written.exists() and written.read_text().strip() != str(first))
    fresh.wait_until(fresh.answers)
    status = fresh.run_command(*fresh.tool("windlassd"), "status")
    for part in ("supervisor", "router"):
        assert re.search(rf"^{part} +runs", status, re.MULTILINE)
    assert "it is started again" in fresh.log()


def test_a_password_of_ones_own_is_kept_nowhere_and_told_to_nobody():
    secret = "open sesame, please"
    with Installation({**WITHOUT_GEARS, "WINDLASS_ADMIN_PASSWORD": secret}) as installation:
        assert installation.data
        assert not (installation.data / "admin-password").exists()
        assert secret not in installation.log()
        assert installation.token
        for child in standing_of(installation).children.values():
            assert secret not in Path(f"/proc/{child.pid}/environ").read_text()


def test_several_installations_live_side_by_side():
    with Installation(WITHOUT_GEARS) as one, Installation(WITHOUT_GEARS) as other:
        assert "Stopped the broker" in one.down()
        assert other.lives()
        other.run_command(*other.tool("windlassd"), "status")


def test_a_second_start_makes_no_second_application_and_keeps_the_password(fresh):
    fresh.settings = dict(WITHOUT_GEARS)
    fresh.start()
    before = fresh.password
    token = fresh.token
    fresh.stop()
    assert fresh.process and fresh.process.returncode == 0
    fresh.start()
    assert (fresh.password, fresh.token) == (before, token)
    fresh.cli("whoami")


def test_the_record_of_what_stands_is_for_its_owner_alone(fresh):
    fresh.settings = {**WITHOUT_GEARS, "WINDLASS_WORKERS": "2"}
    fresh.start()
    assert fresh.data
    record = fresh.data / "standing.json"
    assert record.stat().st_mode & 0o077 == 0
    assert set(json.loads(record.read_text())["children"]) == {"api", "worker-1", "worker-2"}


def test_down_ends_an_up_that_is_still_preparing(fresh):
    fresh.launch()
    assert fresh.data
    fresh.wait_until((fresh.data / "standing.json").exists)
    fresh.down()
    fresh.wait_until(lambda: not fresh.lives())
    assert not fresh.processes(), fresh.story()
