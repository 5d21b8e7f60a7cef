"""A client without retries loses no request, whatever is done to the application."""

import asyncio
import http.client
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
import pytest

from system.installation import Installation
from system.machine import free_ports
from system.yard import busy

HOST = "busy-demo.localhost"
APP = """
import os, time

def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{number} {os.getpid()} ".encode(), body]
"""
PAUSE = 0.003  # seconds between two requests of a client
CLIENTS = [(method, kept) for method in ("GET", "POST") for kept in (True, False)]


class Client:
    """Asks one router again and again, each time once; keeps what it got."""

    def __init__(self, port: int, method: str, kept: bool, host: str = HOST) -> None:
        self.port, self.method, self.kept, self.host = port, method, kept, host
        self.answers: Counter[str] = Counter()
        self.losses: list[str] = []
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self) -> None:
        body = b"x" * 2000 if self.method == "POST" else None
        try:
            self.connection.request(self.method, "/", body=body, headers={"Host": self.host})
            answer = self.connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.losses.append(f"{self.method} kept={self.kept}: {error!r}")
            self.connection.close()
            return
        number, _, rest = said.decode().partition(" ")
        if answer.status != 200 or (body and not rest.endswith(body.decode())):
            self.losses.append(f"{self.method} kept={self.kept}: {answer.status} {said[:80]!r}")
        self.answers[number] += 1
        if not self.kept:
            self.connection.close()


@contextmanager
def hammering(port: int, host: str = HOST) -> Iterator[list[Client]]:
    """Clients of every kind, at a router, all the time."""
    over = threading.Event()
    clients = [Client(port, *kind, host) for kind in CLIENTS]

    def work(client: Client) -> None:
        while not over.is_set():
            client.ask()
            time.sleep(PAUSE)

    with ThreadPoolExecutor(len(clients)) as pool:
        futures = [pool.submit(work, client) for client in clients]
        try:
            yield clients
        finally:
            over.set()
    for future in futures:
        future.result()


def losses(clients: list[Client]) -> list[str]:
    return [one for client in clients for one in client.losses]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "busy"
    folder.mkdir()
    return folder


@pytest.fixture
def busy_app(installed: Installation, source: Path) -> Iterator[None]:
    installed.cli("app", "create", "busy", "python")
    deploy(installed, source, 0)
    yield
    installed.cli("app", "delete", "busy", "-y")


def deploy(installed: Installation, source: Path, number: int) -> None:
    (source / "app.py").write_text(APP.replace("{number}", str(number)))
    installed.cli("app", "deploy", "busy", str(source))


def restart(installed: Installation) -> float:
    """Restart it; the seconds for which the job waited for the routers."""
    url = f"{installed.url}/broker/rest/domains/demo/applications/busy/events"
    headers = {"Authorization": f"Bearer {installed.token}", "Prefer": "wait=60"}
    job = httpx.post(url, json={"event": "restart"}, headers=headers, timeout=70).json()
    assert job["status"] == "complete", job
    (drain,) = [step for step in job["steps"] if step["title"] == "Drain traffic"]
    return float(drain["seconds"])


@contextmanager
def router(installed: Installation) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """One more router, at a port of its own."""
    (port,) = free_ports(1)
    argv = [*installed.tool("windlassd"), "route", "--apps", f"127.0.0.1:{port}"]
    process = installed.popen(argv, subprocess.DEVNULL)
    try:
        installed.wait_until(lambda: answers(port))
        yield process, port
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
        process.wait()


def answers(port: int) -> bool:
    client = Client(port, "GET", False)
    client.ask()
    return not client.losses


def test_no_request_is_lost_with_two_routers_and_with_one_that_was_killed(
    installed: Installation, busy_app: None, source: Path
) -> None:
    waits = []
    with hammering(installed.apps_port) as ours:
        with router(installed) as (other, port):
            with hammering(port) as theirs:
                for number in (1, 2):
                    waits += [restart(installed), restart(installed)]
                    deploy(installed, source, number)
            other.kill()
            killed = restart(installed)  # it waits until the other is taken for dead
        waits += [restart(installed), restart(installed)]
    assert losses(ours) + losses(theirs) == []
    for client in (*ours, *theirs):
        assert {"0", "1", "2"} <= client.answers.keys()
    assert median(waits) < 0.3, waits
    assert killed < 6


def test_a_router_that_was_frozen_during_a_switch_loses_no_request(
    installed: Installation, busy_app: None, source: Path
) -> None:
    with router(installed) as (frozen, port), hammering(installed.apps_port) as ours:
        clients = [Client(port, *kind) for kind in CLIENTS]
        for client in clients:
            client.ask()
        freeze(installed, frozen)
        with ThreadPoolExecutor(len(clients)) as pool:
            asked: list[Future[None]] = [pool.submit(client.ask) for client in clients]
            began = time.monotonic()
            deploy(installed, source, 1)
            assert time.monotonic() - began > 2.5  # nobody knew yet that it stands still
            assert not any(one.done() for one in asked)
            os.kill(frozen.pid, signal.SIGCONT)
            for one in asked:
                one.result()
        assert losses(clients) == []
        for client in clients:
            assert client.answers == {"0": 1, "1": 1}
        for _ in range(2):  # it has entered again: it is waited for, and follows
            restart(installed)
            for client in clients:
                client.ask()
        assert losses(clients) == []
    assert losses(ours) == []


def freeze(installed: Installation, process: subprocess.Popen[bytes]) -> None:
    """Not in a transaction: whoever is frozen there keeps what he has locked."""
    url = f"sqlite:///{installed.data}/windlass.db"
    while True:
        os.kill(process.pid, signal.SIGSTOP)
        if not asyncio.run(busy(url)):
            return
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.05)
