import io
import json
import os
import tarfile

import pytest

from peer.scripted import goes_wrong, stands_still


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<h1>Hello</h1>")
    return folder


def test_create_waits_and_shows_the_application(windlass, demo):
    ended = windlass("app", "create", "blog", "static")
    assert ended.code == 0
    assert "url        http://blog-demo.localhost:8080" in ended.out
    assert "complete in 14 s" in ended.err
    assert windlass("app", "create", "shop", "static", "-o", "name").out == "shop\n"


def test_create_without_waiting_prints_number_and_url(windlass, demo):
    ended = windlass("app", "create", "blog", "static", "--no-wait")
    assert (ended.code, ended.out) == (0, "41  http://elsewhere.invalid/broker/rest/jobs/41\n")
    assert "windlass job watch 41" in ended.err
    again = windlass("app", "create", "shop", "static", "--no-wait", "-o", "json")
    assert json.loads(again.out)["id"] == 42


def test_a_failed_job_is_one_and_still_json_if_asked(windlass, peer, demo):
    peer.next_script = goes_wrong()
    ended = windlass("app", "create", "blog", "static", "-o", "json")
    assert ended.code == 1
    assert json.loads(ended.out)["phase"] == "failed"
    assert "→ windlass job retry 41" in ended.err


def test_waiting_too_long_is_124(windlass, peer, demo):
    peer.next_script = stands_still()
    ended = windlass("app", "restart", "hello", "--wait-timeout", "0.3")
    assert ended.code == 124
    assert "windlass job watch 41" in ended.err


def test_a_job_in_the_way_is_five_and_can_be_watched(windlass, demo):
    ended = windlass("app", "create", "hello", "static")
    assert ended.code == 5
    assert ended.err.splitlines() == ["✗ hello is being made", "  → windlass job watch 41"]


def test_where_there_are_several_domains_one_must_be_named(windlass, peer, demo):
    peer.add_domain("work")
    ended = windlass("app", "show", "hello")
    assert ended.code == 2
    assert "There are several domains: demo, work. Say which with -d." in ended.err
    assert windlass("app", "show", "hello", "-d", "demo", "-o", "name").out == "hello\n"


def test_where_there_is_no_domain_the_next_command_is_told(windlass):
    ended = windlass("app", "create", "blog", "static")
    assert ended.code == 3
    assert "→ windlass domain create NAME" in ended.err


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_events(windlass, peer, demo, verb):
    assert windlass("app", verb, "hello").code == 0
    assert any(path.endswith("/hello/events") for _, path, _ in peer.requests)
    assert windlass("app", verb, "nobody").code == 3


def test_applications_are_listed(windlass, demo):
    assert windlass("app", "list", "-o", "name").out == "hello\n"
    assert "http://hello-demo.localhost:8080" in windlass("app", "list").out
    assert windlass("open", "hello").out == "http://hello-demo.localhost:8080\n"


def test_deleting_asks_and_without_a_terminal_says_what_to_do(windlass, peer, demo, env):
    env.setattr("sys.stdin", io.StringIO("y\n"))
    ended = windlass("app", "delete", "hello")
    assert ended.code == 2
    assert "--confirm hello" in ended.err
    assert windlass("app", "delete", "hello", "--confirm", "hullo").code == 2
    assert not any(method == "DELETE" for method, _, _ in peer.requests)
    assert windlass("app", "delete", "hello", "--confirm", "hello").code == 0
    assert windlass("app", "delete", "hello", "-y").code == 0


def test_only_an_instance_that_is_not_up_says_why(windlass, peer, demo):
    ended = {"state": "up", "why": "it ended with exit status 0"}
    down = {"state": "down", "why": "it exits at once"}
    peer.applications["demo", "hello"]["instances"] = [ended, down]
    shown = windlass("app", "show", "hello").out
    assert "down (it exits at once)" in shown
    assert "exit status 0" not in shown


def test_deploy_sends_the_folder_and_waits(windlass, peer, demo, site):
    ended = windlass("app", "deploy", "hello", site)
    assert ended.code == 0
    assert "Packed 1 file, " in ended.err
    with tarfile.open(fileobj=io.BytesIO(peer.uploads[0])) as tar:
        assert tar.getnames() == ["index.html"]
        assert tar.extractfile("index.html").read() == b"<h1>Hello</h1>"


def test_deploy_takes_an_archive_as_it_is(windlass, peer, demo, site, tmp_path):
    archive = tmp_path / "site.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(site / "index.html", "index.html")
    assert windlass("app", "deploy", "hello", archive).code == 0
    assert peer.uploads == [archive.read_bytes()]


def test_deploy_refuses_what_holds_nothing(windlass, peer, demo, tmp_path):
    empty = tmp_path / "empty"
    (empty / ".git").mkdir(parents=True)
    (empty / ".git" / "HEAD").write_text("x")
    ended = windlass("app", "deploy", "hello", empty)
    assert ended.code == 2
    assert f"There is nothing to deploy: {empty} has no files in it." in ended.err
    assert windlass("app", "deploy", "hello", tmp_path / "nowhere").code == 2
    (tmp_path / "note.txt").write_text("no archive")
    assert windlass("app", "deploy", "hello", tmp_path / "note.txt").code == 2
    assert not peer.uploads


def test_a_folder_that_cannot_be_read_is_a_sentence(windlass, demo, site):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (site / "index.html").chmod(0)
    ended = windlass("app", "deploy", "hello", site)
    assert ended.code == 1
    assert "Permission denied" in ended.err
