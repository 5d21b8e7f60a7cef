import io
import json
import socket
import stat

import pytest

from windlass.cli.main import cluster_first
from windlass.cli.session import session_file


@pytest.fixture
def saved(env):
    """Nothing of a login in the environment: what is saved must do."""
    env.delenv("WINDLASS_URL")
    env.delenv("WINDLASS_TOKEN")
    return env


def sign_in(windlass, env, peer, *arguments, password="hunter2"):
    env.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return windlass("login", peer.url, "-l", "admin", "--password-stdin", *arguments)


def test_login_keeps_a_token_for_nobody_else_to_read(windlass, saved, peer):
    ended = sign_in(windlass, saved, peer, "--as", "home")
    assert ended.code == 0
    assert f"Signed in as admin at {peer.url}, here called home." in ended.err
    file = session_file()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "hunter2" not in file.read_text()
    assert [one.name for one in file.parent.iterdir()] == ["session.json"]
    assert peer.tokens["made-2"]["note"] == f"windlass CLI on {socket.gethostname()}"
    assert windlass("whoami", "-o", "name").out == "admin\n"


def test_a_second_login_takes_the_place_of_the_first_and_its_token(windlass, saved, peer):
    sign_in(windlass, saved, peer)
    sign_in(windlass, saved, peer)
    assert set(peer.tokens) == {"secret", "made-3"}


def test_logout_revokes_the_token_and_forgets_it(windlass, saved, peer):
    sign_in(windlass, saved, peer)
    assert windlass("logout").code == 0
    assert set(peer.tokens) == {"secret"}
    assert json.loads(session_file().read_text())["clusters"] == {}
    ended = windlass("logout")
    assert (ended.code, "→ windlass login" in ended.err) == (4, True)


def test_a_wrong_password_is_four_and_keeps_nothing(windlass, saved, peer):
    ended = sign_in(windlass, saved, peer, password="wrong")
    assert ended.code == 4
    assert "does not know this login and password" in ended.err
    assert not session_file().exists()


def test_a_token_from_elsewhere_signs_in_and_is_not_revoked(windlass, saved, peer):
    saved.setattr("sys.stdin", io.StringIO("secret\n"))
    assert windlass("login", peer.url, "--token-stdin").code == 0
    assert windlass("whoami", "-o", "name").out == "admin\n"
    assert "still good there" in windlass("logout").err
    assert "secret" in peer.tokens


@pytest.mark.parametrize("token", ["", "wrong", "two words", "schlüssel"])
def test_a_token_that_is_none_is_refused(windlass, saved, peer, token):
    saved.setattr("sys.stdin", io.StringIO(f"{token}\n"))
    assert windlass("login", peer.url, "--token-stdin").code == (4 if token else 2)
    assert not session_file().exists()


def test_nobody_to_ask_for_a_password_is_usage(windlass, saved, peer):
    saved.setattr("sys.stdin", io.StringIO(""))
    ended = windlass("login", peer.url)
    assert ended.code == 2
    assert "--password-stdin" in ended.err


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://me:secret@host", "http://a b"])
def test_what_is_no_url_is_usage(windlass, saved, url):
    assert windlass("login", url, "--token-stdin").code == 2


def test_clusters_are_chosen_by_flag_then_environment_then_the_last_login(windlass, saved, peer):
    sign_in(windlass, saved, peer, "--as", "here")
    file = session_file()
    known = json.loads(file.read_text())
    known["clusters"]["gone"] = {"url": "http://127.0.0.1:9", "token": "x"}
    file.write_text(json.dumps(known))
    assert windlass("whoami").code == 0
    assert windlass("whoami", "--cluster", "gone").code == 6
    saved.setenv("WINDLASS_CLUSTER", "gone")
    assert windlass("whoami").code == 6
    assert windlass("--cluster=here", "whoami").code == 0
    saved.setenv("WINDLASS_URL", peer.url)
    saved.setenv("WINDLASS_TOKEN", "secret")
    assert windlass("whoami").code == 0
    assert windlass("whoami", "--cluster", "nowhere").code == 2


def test_a_saved_token_goes_to_no_other_server(windlass, saved, peer):
    sign_in(windlass, saved, peer)
    file = session_file()
    file.write_text(file.read_text().replace(peer.url, "http://127.0.0.1:9"))
    saved.setenv("WINDLASS_URL", peer.url)
    assert windlass("whoami").code == 4
    assert "Authorization" not in peer.requests[-1][2]


def test_the_cluster_may_be_named_anywhere_but_after_two_dashes():
    assert cluster_first(["app", "list", "--cluster", "a"]) == ["--cluster", "a", "app", "list"]
    assert cluster_first(["x", "--cluster=a", "y"]) == ["--cluster=a", "x", "y"]
    assert cluster_first(["x", "--", "--cluster", "a"]) == ["x", "--", "--cluster", "a"]
    assert cluster_first(["x", "--cluster"]) == ["--cluster", "x"]


def test_a_spoilt_session_file_is_a_sentence(windlass, saved):
    session_file().parent.mkdir(parents=True)
    for text in ("{", "[]", '{"current": null, "clusters": {"a": 1}}'):
        session_file().write_text(text)
        ended = windlass("whoami")
        assert ended.code == 4
        assert "The saved logins cannot be read" in ended.err


def test_status_says_what_is_there_and_who_one_is(windlass, peer, env):
    assert json.loads(windlass("status", "-o", "json").out)["login"] == "admin"
    env.setenv("WINDLASS_TOKEN", "old")
    ended = windlass("status")
    assert ended.code == 4
    assert "version  0.1.0" in ended.out
    assert "→ windlass login" in ended.err


def test_a_server_that_is_away_is_six_in_a_line(windlass, env):
    env.setenv("WINDLASS_URL", "http://127.0.0.1:9")
    ended = windlass("app", "list")
    assert ended.code == 6
    assert ended.err.splitlines()[0] == "✗ http://127.0.0.1:9 does not answer: Connection refused"


def test_an_ill_server_is_six(windlass, peer):
    peer.ill = [500]
    assert windlass("app", "list").code == 6


def test_not_allowed_is_four(windlass, peer):
    peer.ill = [403]
    assert windlass("app", "list").code == 4


def test_domains(windlass, peer):
    assert windlass("domain", "create", "demo", "-o", "name").out == "demo\n"
    ended = windlass("domain", "create", "demo")
    assert (ended.code, ended.err) == (5, "✗ There is a domain demo already\n")
    assert windlass("domain", "list", "-o", "name").out == "demo\n"
    assert "applications  0" in windlass("domain", "show", "demo").out
    assert windlass("domain", "delete", "demo").code == 2
    assert windlass("domain", "delete", "demo", "-y").code == 0
    assert windlass("domain", "show", "demo").code == 3
    empty = windlass("domain", "list")
    assert (empty.code, empty.out) == (0, "")


def test_tokens(windlass, peer):
    ended = windlass("token", "create", "nightly", "--scope", "read")
    assert ended.out == "made-2\n"
    assert peer.tokens["made-2"]["scope"] == "read"
    assert windlass("token", "list", "-o", "name").out == "1\n2\n"
    assert "nightly" in windlass("token", "list").out
    assert windlass("token", "revoke", 2, "-y").code == 0
    assert windlass("token", "revoke", 2, "-y").code == 3
    assert windlass("token", "create", "--scope", "all").code == 2
