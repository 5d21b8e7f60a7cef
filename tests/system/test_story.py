"""The story on real gears, also by the impatient, the hopeless and the unlucky."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from system.installation import Installation
from system.machine import processes, wait_until

FLASK = Path(__file__).parents[2] / "examples/apps/flask"
APPLICATIONS = "/broker/rest/domains/demo/applications"
ENDED = ("complete", "failed")
ROUNDS = 10  # pairs at once in the impatient user's test, five times over


@pytest.fixture
def api(installed: Installation) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {installed.token}"}
    with httpx.Client(base_url=installed.url, headers=headers, timeout=60) as client:
        yield client


def ended(installed: Installation, api: httpx.Client, url: str) -> dict[str, Any]:
    """The job at a URL, when it has ended."""
    job: dict[str, Any] = {}

    def look() -> bool:
        job.update(api.get(url).json())
        return job["status"] in ENDED

    wait_until(look, installed.story)
    return job


def rows(installed: Installation, table: str) -> int:
    assert installed.data
    with closing(sqlite3.connect(installed.data / "windlass.db")) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def gears(installed: Installation) -> set[str]:
    assert installed.data
    return {path.name for path in (installed.data / "gears").iterdir() if path.is_dir()}


LEFT = ("applications", "gears", "instances", "releases", "routes", "secrets", "holds", "scopes")


def left(installed: Installation) -> dict[str, int]:
    """What is there of applications."""
    return {table: rows(installed, table) for table in LEFT} | {"homes": len(gears(installed))}


def test_an_application_is_made_deployed_and_deleted(installed: Installation) -> None:
    before = left(installed)
    assert installed.answers()
    out = installed.cli("app", "create", "blog", "python")
    assert "http://blog-demo.localhost" in out
    assert installed.answers("blog-demo.localhost")
    installed.cli("app", "deploy", "blog", str(FLASK))
    answer = installed.get("blog-demo.localhost")
    assert answer is not None
    assert "Hello from Flask" in answer.body
    installed.cli("app", "delete", "blog", "-y")
    gone = installed.get("blog-demo.localhost")
    assert gone is not None
    assert gone.status == 404
    assert left(installed) == before


def test_create_and_delete_at_the_same_moment(installed: Installation, api: httpx.Client) -> None:
    """Fifty pairs over HTTP, in both orders; every job ends and nothing is left over."""
    before = left(installed)
    orders = {"delete first": 0, "create first": 0}
    with ThreadPoolExecutor(2 * ROUNDS) as pool:
        for batch in range(5):
            barrier = threading.Barrier(2 * ROUNDS)

            def ask(name: str, method: str, late: bool, barrier: Any = barrier) -> Any:
                barrier.wait()
                if late:
                    threading.Event().wait(0.05)  # so that both orders are seen
                if method == "DELETE":
                    return api.delete(f"{APPLICATIONS}/{name}")
                return api.post(APPLICATIONS, json={"name": name, "cartridge": "python"})

            names = [f"i{batch}x{n}" for n in range(ROUNDS)]
            creates = [pool.submit(ask, name, "POST", n % 2 == 0) for n, name in enumerate(names)]
            deletes = [pool.submit(ask, name, "DELETE", n % 2 == 1) for n, name in enumerate(names)]
            for name, create, delete in zip(names, creates, deletes, strict=True):
                made, gone = create.result(), delete.result()
                assert made.status_code == 307, made.text
                assert gone.status_code in (307, 404), gone.text
                orders["create first" if gone.status_code == 307 else "delete first"] += 1
                job = ended(installed, api, made.text)
                if gone.status_code == 307:
                    assert ended(installed, api, gone.text)["status"] == "complete"
                    assert api.get(f"{APPLICATIONS}/{name}").status_code == 404
                else:
                    assert job["status"] == "complete", job["error"]
                    url = api.delete(f"{APPLICATIONS}/{name}").text
                    assert ended(installed, api, url)["status"] == "complete"
    assert sum(orders.values()) == 50
    assert min(orders.values()) >= 5, orders
    assert left(installed) == before


def test_a_cartridge_that_never_installs(installed: Installation, api: httpx.Client) -> None:
    before = left(installed)
    asked = api.post(APPLICATIONS, json={"name": "lost", "cartridge": "hopeless"})
    job = ended(installed, api, asked.text)
    assert job["phase"] == "failed"
    assert job["error"]["step"] == "Install cartridge"
    assert "no such thing" in job["error"]["text"]
    assert {step["state"] for step in job["steps"]} == {"undone", "planned"}
    assert left(installed) == before


def worker_pids(installed: Installation) -> list[int]:
    seen = {pid for pid, _ in installed.processes()}
    return [pid for pid in seen if "work" in command(pid)[-1:]]


def command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


def test_a_worker_killed_in_the_middle(installed: Installation, api: httpx.Client) -> None:
    """Its only worker gone, `up` starts another, which goes on where the first one was."""
    url = api.post(APPLICATIONS, json={"name": "tough", "cartridge": "slow"}).text

    def installing() -> bool:
        steps = api.get(url).json()["steps"]
        return any(s["kind"] == "install-cartridge" and s["state"] == "running" for s in steps)

    wait_until(installing, installed.story)
    (pid,) = worker_pids(installed)
    os.kill(pid, signal.SIGKILL)
    job = ended(installed, api, url)
    assert job["status"] == "complete", job["error"]
    assert installed.answers("tough-demo.localhost")
    installed.cli("app", "delete", "tough", "-y")


@contextmanager
def load(
    installed: Installation, clients: int = 4, host: str = "hello-demo.localhost"
) -> Iterator[list[str]]:
    """Clients that ask an application all the time and never again: what went wrong."""
    over, wrong, count = threading.Event(), [], [0] * clients

    def ask(number: int) -> None:
        while not over.is_set():
            answer = installed.get(host)
            if answer is None or answer.status != 200:
                wrong.append(str(answer))
            count[number] += 1

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: min(count) > 5, installed.story)
        yield wrong
        seen = min(count)
        wait_until(lambda: min(count) > seen + 5, installed.story)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_no_request_is_lost_while_things_change(installed: Installation) -> None:
    """Restart and deploy of the application, Ctrl-C and kill -9 of the broker."""
    with load(installed) as wrong:
        installed.cli("app", "restart", "hello")
        installed.cli("app", "deploy", "hello", str(FLASK))
        installed.stop()
        installed.start()
        installed.kill()
        installed.start()
        installed.cli("app", "list")
    assert wrong == []


def test_down_leaves_no_process() -> None:
    with Installation(settings={"WINDLASS_NO_QUICKSTART": "1"}) as installation:
        seen = installation.processes()
        assert seen
        installation.down()
        wait_until(lambda: not installation.processes(), installation.story)
        assert not seen & {(pid, one.begun) for pid, one in processes().items()}
