"""`windlass env`, against a scripted server."""

import io
import json
import sys

import pytest

from windlass.cli import dotenv
from windlass.cli.fate import Stop

THERE = "/broker/rest/domains/demo/applications/hello/environment-variables"
SECRET = "nobody-may-see-this"


@pytest.fixture
def demo(peer):
    peer.add_domain("demo")
    peer.add_application("demo", "hello")


@pytest.fixture
def says(monkeypatch):
    """Let stdin say something."""

    def say(text):
        raw = text if isinstance(text, bytes) else text.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))

    return say


def sent(peer):
    """What the last request wanted: values by name."""
    method, path, headers = [one for one in peer.requests if one[0] != "GET"][-1]
    assert (method, path) == ("PATCH", THERE)
    assert headers["Idempotency-Key"]
    (wish,) = peer.bodies
    return {one["name"]: one.get("value") for one in wish["environment_variables"]}


def test_several_are_set_in_one_job(windlass, peer, demo, tmp_path, says):
    file = tmp_path / "key.pem"
    file.write_text("one\ntwo\n")
    says("from stdin\n")
    ended = windlass("env", "set", "hello", "A=1", "B=x=y z", "C=", f"D=@{file}", "E=-", "F=@@anna")
    assert ended.code == 0, ended.err
    want = {"A": "1", "B": "x=y z", "C": "", "D": "one\ntwo", "E": "from stdin", "F": "@anna"}
    assert sent(peer) == want
    assert "complete in" in ended.err
    assert "hello" in ended.out


def test_unset_and_import(windlass, peer, demo, tmp_path, says):
    assert windlass("env", "unset", "hello", "A", "B").code == 0
    assert sent(peer) == {"A": None, "B": None}
    file = tmp_path / ".env"
    file.write_text("export A=1\n# no\nB='2'\n")
    peer.bodies.clear()
    assert windlass("env", "import", "hello", file).code == 0
    assert sent(peer) == {"A": "1", "B": "2"}
    says("C=3")
    peer.bodies.clear()
    assert windlass("env", "import", "hello", "-").code == 0
    assert sent(peer) == {"C": "3"}


def test_without_waiting(windlass, peer, demo):
    ended = windlass("env", "set", "hello", "A=1", "--no-wait", "-o", "name")
    assert (ended.code, ended.out) == (0, "41\n")


def test_list(windlass, peer, demo):
    empty = windlass("env", "list", "hello")
    assert (empty.code, empty.out) == (0, "")
    assert "windlass env set hello NAME=VALUE" in empty.err
    peer.variables += [{"name": "A", "value": SECRET}, {"name": "B", "value": "1\n2"}]
    table = windlass("env", "list", "hello").out.splitlines()
    assert [line.split() for line in table] == [["NAME", "VALUE"], ["A", SECRET], ["B", "1", "2"]]
    assert json.loads(windlass("env", "list", "hello", "-o", "json").out) == peer.variables
    assert windlass("env", "list", "hello", "-o", "name").out == "A\nB\n"
    for output in ("table", "json", "yaml", "name"):
        names = windlass("env", "list", "hello", "--names", "-o", output)
        assert SECRET not in names.out
        assert "A" in names.out


WRONG = [
    (("set", "A=1", "B=2"), "The application's name goes first"),
    (("set", "hello", SECRET), "NAME=VALUE"),
    (("set", "hello", "=" + SECRET), "NAME=VALUE"),
    (("set", "hello", "A=-", "B=-"), "Only one"),
    (("set", "hello", "A=1", "A=2"), "A is there twice"),
    (("import", "hello", "-"), "Line 2 of stdin is not NAME=VALUE"),
]


@pytest.mark.parametrize(("words", "why"), WRONG)
def test_what_is_wrong_is_said_without_the_values(windlass, peer, demo, says, words, why):
    says(f"A=1\n{SECRET}\n")
    ended = windlass("env", *words)
    assert ended.code == 2
    assert why in ended.err
    assert SECRET not in ended.err
    assert not peer.bodies


def test_what_cannot_be_read(windlass, peer, demo, tmp_path, says):
    for words in (("set", "hello", f"A=@{tmp_path}/nothing"), ("import", "hello", tmp_path)):
        ended = windlass("env", *words)
        assert ended.code == 1
        assert "cannot be read" in ended.err
    says(b"\xff")
    assert "UTF-8" in windlass("env", "set", "hello", "A=-").err
    says("# nothing\n")
    assert "no variable in stdin" in windlass("env", "import", "hello", "-").err
    assert windlass("env", "list", "nope").code == 3
    assert not peer.bodies


FILES = [
    ("", {}),
    ("# only\n\n  # comments", {}),
    ("A=1", {"A": "1"}),
    ("\ufeffA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ("  export A = 1  \n", {"A": "1"}),
    ("A=\nB=  # said nothing\n", {"A": "", "B": ""}),
    ("A=one two # why\nB=a#b\n", {"A": "one two", "B": "a#b"}),
    ("A=x=y\nA=z\n", {"A": "z"}),
    ("A='$HOME \\n # \"' # why\n", {"A": '$HOME \\n # "'}),
    ('A="one\\ntwo \\"three\\" \\$4 # \'" # why\n', {"A": 'one\ntwo "three" $4 # \''}),
    ("A='one\ntwo'\nB=\"3\n4\"\nC=5", {"A": "one\ntwo", "B": "3\n4", "C": "5"}),
    ("A=''\nB=\"\"", {"A": "", "B": ""}),
    ("A=it's", {"A": "it's"}),
]


@pytest.mark.parametrize(("text", "want"), FILES)
def test_files_of_variables(text, want):
    assert dotenv.parse(text, "x") == want


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A=1\n\nnothing", "Line 3 of x is not NAME=VALUE"),
        ("A=1\n'B'", "Line 2"),
        ("A='1\n2", "Line 1 of x has no closing '"),
        ('\nA="1\\"', 'Line 2 of x has no closing "'),
        ("A='1'2", "Line 1 of x goes on after the closing quote"),
        ("=1", "Line 1"),
    ],
)
def test_files_that_cannot_be_read(text, why):
    with pytest.raises(Stop, match=why):
        dotenv.parse(text, "x")
