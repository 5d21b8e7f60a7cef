"""Scaling on real gears: every gear answers and is counted, and no request is lost."""

import os
import signal
import tarfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from system.installation import Installation
from system.machine import wait_until
from system.test_story import APPLICATIONS, ended, gears, left, load, worker_pids

HOST = "wide-demo.localhost"
SAYS_WHICH = b"""
import os

if os.path.exists(os.environ["OPENSHIFT_DATA_DIR"] + "/ill"):
    raise RuntimeError("this gear is ill")

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["OPENSHIFT_GEAR_UUID"].encode()]
"""
REQUESTS = 120
EACH = 20  # of these, at least, for each of three gears


@pytest.fixture(scope="module")
def wide(
    installed: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """An application that says which gear it is in; installing its cartridge takes seconds."""
    folder = tmp_path_factory.mktemp("wide")
    (folder / "app.py").write_bytes(SAYS_WHICH)
    with tarfile.open(folder / "wide.tar", "w") as archive:
        archive.add(folder / "app.py", "app.py")
    before = left(installed)
    installed.cli("app", "create", "wide", "slow")
    installed.cli("app", "deploy", "wide", str(folder / "wide.tar"))
    headers = {"Authorization": f"Bearer {installed.token}"}
    with httpx.Client(base_url=installed.url, headers=headers, timeout=60) as api:
        yield api
    installed.cli("app", "delete", "wide", "-y")
    assert left(installed) == before


def ask(api: httpx.Client, gears: int) -> str:
    """The URL of a job that scales."""
    body = {"event": "scale-up", "to": gears}
    return api.post(f"{APPLICATIONS}/wide/events", json=body).text


def at(installed: Installation, api: httpx.Client, url: str, step: str) -> None:
    """Wait until the job is at this step, or has just left it."""

    def runs() -> bool:
        steps = api.get(url).json()["steps"]
        return any(one["kind"] == step and one["state"] != "planned" for one in steps)

    wait_until(runs, installed.story)


def counted(installed: Installation) -> Counter[str]:
    """Which gear has answered how often."""
    found: Counter[str] = Counter()
    for _ in range(REQUESTS):
        answer = installed.get(HOST)
        assert answer is not None
        assert answer.status == 200
        found[answer.body] += 1
    return found


def shown(api: httpx.Client) -> dict[str, Any]:
    """Each gear, and its state."""
    (group,) = api.get(f"{APPLICATIONS}/wide/gear_groups").json()["items"]
    return {gear["id"]: gear["state"] for gear in group["gears"]}


def test_every_gear_answers_and_no_request_is_lost(
    installed: Installation, wide: httpx.Client
) -> None:
    alone = set(counted(installed))
    with load(installed, host=HOST) as wrong:
        installed.cli("app", "scale", "wide", "3")
        answers = counted(installed)
        print(f"answers of each gear: {sorted(answers.values())} of {REQUESTS}")
        assert len(answers) == 3
        assert min(answers.values()) >= EACH
        assert shown(wide) == dict.fromkeys(answers, "started")
        installed.cli("app", "scale", "wide", "1")
    assert wrong == []
    assert set(counted(installed)) == alone


def test_a_worker_killed_while_it_scales_up_and_down(
    installed: Installation, wide: httpx.Client
) -> None:
    before = left(installed)
    with load(installed, host=HOST) as wrong:
        for gears, step in ((3, "install-cartridge"), (1, "stop-instances")):
            url = ask(wide, gears)
            at(installed, wide, url, step)
            (pid,) = worker_pids(installed)
            os.kill(pid, signal.SIGKILL)
            job = ended(installed, wide, url)
            assert job["status"] == "complete", job["error"]
            assert len(counted(installed)) == gears
    assert wrong == []
    assert left(installed) == before


def test_a_third_gear_that_is_ill_takes_the_new_ones_back(
    installed: Installation, wide: httpx.Client
) -> None:
    before, there = left(installed), gears(installed)
    with load(installed, host=HOST) as wrong:
        url = ask(wide, 4)
        at(installed, wide, url, "install-cartridge")
        third = sorted(gears(installed) - there)[-1]
        assert installed.data
        (installed.data / "gears" / third / "disk" / "app-root" / "data" / "ill").touch()
        job = ended(installed, wide, url)
    assert job["phase"] == "failed"
    assert "does not start" in job["error"]["text"]
    assert wrong == []
    assert left(installed) == before
