"""A whole windlass, as an operator runs it, for the measurements that need gears."""

import base64
import http.client
import json
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.node.ports import free_port
from benchmarks.processes import Failed, Process, finish, until

START = 180.0  # seconds for the first start, which fetches the web servers
JOB = 600.0  # seconds for a job
DOMAIN = "demo"


@dataclass
class Installation:
    """A windlass that runs, and its admin's hands."""

    folder: Path
    env: dict[str, str]
    api: int  # port
    apps: int  # port
    up: Process

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What the API answers; of a change that is a job, the job."""
        signed = base64.b64encode(f"admin:{self.env['WINDLASS_ADMIN_PASSWORD']}".encode()).decode()
        headers = {"Authorization": f"Basic {signed}", "Prefer": "respond-async"}
        there = http.client.HTTPConnection("127.0.0.1", self.api, timeout=60)
        try:
            there.request(
                method,
                f"/broker/rest{path}",
                json.dumps(body) if body is not None else None,
                headers | {"Content-Type": "application/json"},
            )
            answer = there.getresponse()
            said = answer.read()
        finally:
            there.close()
        if answer.status >= 400:
            raise Failed(f"{method} {path}: {answer.status} {said[:300]!r}")
        return json.loads(said) if said else None

    def done(self, job: Any) -> Any:
        """A job, when it is complete."""
        deadline = time.monotonic() + JOB
        while job["status"] not in ("complete", "failed"):
            if time.monotonic() > deadline:
                raise Failed(f"job {job['id']} takes too long")
            job = self.call("GET", f"/jobs/{job['id']}?wait=10")
        if job["status"] == "failed":
            raise Failed(f"job {job['id']} has failed: {job['error']}")
        return job

    def create(self, name: str) -> Any:
        """Ask for an application; the job."""
        wish = {"name": name, "cartridge": "python"}
        return self.call("POST", f"/domains/{DOMAIN}/applications", wish)

    def delete(self, name: str) -> None:
        """Delete an application, to the end."""
        self.done(self.call("DELETE", f"/domains/{DOMAIN}/applications/{name}"))

    def status(self, name: str) -> int:
        """How the application answers through the router; 0 if nobody does."""
        return status_of("127.0.0.1", self.apps, f"{name}-{DOMAIN}.localhost")

    def tool(self, *words: str) -> None:
        """Run `windlassd` with these words."""
        finish("windlassd", command(*words), self.env, self.folder / "log")


def status_of(address: str, port: int, host: str) -> int:
    """The status of a GET, or 0 where nobody answers.

    By hand, as looking is to take at most a twentieth of the time: http.client takes 0.5 ms.
    """
    try:
        with socket.create_connection((address, port), timeout=10) as there:
            there.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            return int(there.recv(64).split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def command(*words: str) -> list[str]:
    """`windlassd`, by our own Python."""
    return [sys.executable, "-m", "windlass.daemon.main", *words]


@contextmanager
def installation() -> Iterator[Installation]:
    """One from its first start until nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="bench"))
    folder.chmod(0o755)
    (folder / "home").mkdir()
    api, apps = free_port(), free_port()
    env = {
        "HOME": str(folder / "home"),
        "WINDLASS_DATA": str(folder / "data"),
        "WINDLASS_LISTEN": f"127.0.0.1:{api}",
        "WINDLASS_APPS": f"127.0.0.1:{apps}",
        "WINDLASS_NO_QUICKSTART": "1",
        "WINDLASS_ADMIN_PASSWORD": secrets.token_urlsafe(12),
    } | pip_settings()
    log = folder / "log"
    up = Process("windlassd up", command("up"), env, log)
    made = Installation(folder, env, api, apps, up)
    try:
        until(lambda: answers(made), up, START, 0.2)
        made.call("POST", "/domains", {"name": DOMAIN})
        yield made
    finally:
        finish("windlassd down", command("down"), env, log)
        up.stop()
        shutil.rmtree(folder, ignore_errors=True)


def answers(made: Installation) -> bool:
    """Whether the API lets its admin in."""
    try:
        return made.call("GET", "/user") is not None
    except (Failed, OSError):
        return False


def pip_settings() -> dict[str, str]:
    """Where pip's own file is, since the home is another one."""
    file = Path.home() / ".config" / "pip" / "pip.conf"
    return {"PIP_CONFIG_FILE": str(file)} if file.exists() else {}
