"""Variables on real gears: the application finds them, and no request is lost on the way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.installation import Installation
from system.test_traffic import HOST, Client, hammering, losses

APP = """
import os

def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/secret":
        return [repr(os.environ.get("SECRET")).encode()]
    return [os.environ.get("SAYS", "nothing").encode(), b" ", body]
"""
SECRET = "a 'secret' of\r\n\"two\" lines, $HOME ✓\n"


@pytest.fixture
def busy(installed: Installation, tmp_path: Path) -> Iterator[None]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "app.py").write_text(APP)
    installed.cli("app", "create", "busy", "python")
    installed.cli("app", "deploy", "busy", str(tmp_path / "site"))
    yield
    installed.cli("app", "delete", "busy", "-y")


def says(installed: Installation) -> str:
    client = Client(installed.apps_port, "GET", False)
    client.ask()
    assert not client.losses
    return next(iter(client.answers))


def test_no_request_is_lost_while_variables_are_set(
    installed: Installation, busy: None, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET.encode() + b"\n")  # the last newline is the file's
    assert says(installed) == "nothing"
    with hammering(installed.apps_port) as clients:
        installed.cli("env", "set", "busy", "SAYS=one", f"SECRET=@{secret}")
        assert says(installed) == "one"
        answer = installed.get(HOST, "/secret")
        assert answer is not None
        assert answer.body == repr(SECRET)
        installed.cli("app", "scale", "busy", "2")
        installed.cli("env", "set", "busy", "SAYS=two")
        for _ in range(20):
            assert says(installed) == "two"
        installed.cli("app", "scale", "busy", "1")
        installed.cli("env", "unset", "busy", "SAYS")
        assert says(installed) == "nothing"
    assert losses(clients) == []
    for client in clients:
        assert {"nothing", "one", "two"} == client.answers.keys()
    assert installed.cli("env", "list", "busy", "--names").split() == ["NAME", "SECRET"]
    assert "a 'secret'" not in installed.log()
    assert not any("a 'secret'" in command for command in commands())


def commands() -> list[str]:
    """What every process of this machine shows in `ps`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return found
