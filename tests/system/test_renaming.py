"""A domain is renamed on real gears: nobody who asks is turned away, and gears know their names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.installation import Installation
from system.test_traffic import hammering, losses

WWW = "www.example.com"
APP = """
import os

def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = os.environ["OPENSHIFT_APP_DNS"] + "," + os.environ["OPENSHIFT_APP_ALIASES"]
    return [names.encode(), b" ", body]
"""


@pytest.fixture
def moving(installed: Installation, tmp_path: Path) -> Iterator[str]:
    """The domain of an application that tells its own names, and answers at an alias."""
    (tmp_path / "app.py").write_text(APP)
    installed.cli("domain", "create", "before")
    installed.cli("app", "create", "moving", "python", "-d", "before")
    installed.cli("app", "deploy", "moving", str(tmp_path), "-d", "before")
    installed.cli("alias", "add", "moving", WWW, "-d", "before")
    yield "before"
    installed.cli("app", "delete", "moving", "-d", "after", "-y")
    installed.cli("domain", "delete", "after", "-y")


def names(installed: Installation, host: str) -> str:
    answer = installed.get(host)
    assert answer is not None
    return answer.body if answer.status == 200 else str(answer.status)


def test_a_renaming_loses_no_request(installed: Installation, moving: str) -> None:
    old, new = "moving-before.localhost", "moving-after.localhost"
    assert names(installed, old).startswith(old)
    with hammering(installed.apps_port, WWW) as clients:
        installed.cli("app", "scale", "moving", "2", "-d", moving)
        installed.cli("domain", "rename", moving, "after")
        installed.wait_until(lambda: names(installed, new) == f"{new},{WWW} ")
        assert names(installed, old) == "404"
        installed.cli("app", "scale", "moving", "1", "-d", "after")
        installed.cli("app", "reload", "moving", "-d", "after")
    assert losses(clients) == []
    assert {said for client in clients for said in client.answers} == {
        f"{one},{WWW}" for one in (old, new)
    } | {f"{old},"}
