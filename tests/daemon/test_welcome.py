"""The first start, against a server that is told what to answer."""

import json

import pytest

from peer.scripted import goes_well, goes_wrong
from windlass.daemon.welcome import greet, password_of, welcome
from windlass.settings import Settings
from windlass.store.schema import upgrade

PASSWORD = "a password of some length"


@pytest.fixture
def peer(peer):
    peer.passwords["admin"] = PASSWORD
    return peer


@pytest.fixture
async def settings(tmp_path, monkeypatch, peer):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("WINDLASS_TOKEN", "of another installation")
    (tmp_path / "data").mkdir()
    told = Settings(data=tmp_path / "data", listen=peer.url.partition("://")[2], node="memory:")
    await upgrade(told.database_url)
    return told


def session(tmp_path) -> dict:
    return json.loads((tmp_path / "home/.config/windlass/session.json").read_text())


async def test_it_signs_in_and_makes_an_application_as_a_job_that_one_sees(
    settings, peer, tmp_path, capfd
):
    peer.next_script = goes_well()
    assert await welcome(settings, PASSWORD) is True
    assert [one["url"] for one in session(tmp_path)["clusters"].values()] == [peer.url]
    assert "demo" in peer.domains
    assert len(peer.jobs) == 1
    seen = capfd.readouterr()
    assert "Take a slot on a node" in seen.err
    assert PASSWORD not in seen.out + seen.err
    assert await welcome(settings, PASSWORD) is False


async def test_one_that_was_interrupted_follows_the_job_that_is_under_way(settings, peer):
    peer.add_domain("demo")
    job = peer.add_job(goes_well())
    peer.add_application("demo", "hello", "creating")
    peer.applications["demo", "hello"]["job"] = job["url"]
    assert await welcome(settings, PASSWORD)
    assert len(peer.jobs) == 1
    assert (settings.data / "first-start").exists()


async def test_one_that_was_interrupted_after_its_job_is_just_finished(settings, peer):
    peer.add_domain("demo")
    peer.add_application("demo", "hello")
    assert await welcome(settings, PASSWORD)
    assert not peer.jobs
    assert (settings.data / "first-start").exists()


async def test_an_application_that_fails_is_tried_again_by_the_next_start(settings, peer):
    peer.next_script = goes_wrong()
    assert await welcome(settings, PASSWORD)
    assert not (settings.data / "first-start").exists()
    peer.next_script = goes_well()
    peer.applications.clear()
    assert await welcome(settings, PASSWORD)
    assert (settings.data / "first-start").exists()


async def test_without_quickstart_nothing_is_made(settings, peer, tmp_path):
    told = Settings(**{**vars(settings), "no_quickstart": True})
    assert await welcome(told, PASSWORD)
    assert session(tmp_path)["clusters"]
    assert not peer.jobs and not peer.domains


async def test_a_cli_that_cannot_be_signed_in_is_no_end(settings, peer, tmp_path, capfd):
    (tmp_path / "home").write_text("not a folder")
    job = peer.add_job(phase="complete", status="complete")
    peer.add_application("demo", "hello")
    peer.applications["demo", "hello"]["job"] = job["url"]
    assert await welcome(settings, PASSWORD)
    assert "could not be signed in" in capfd.readouterr().err
    assert (settings.data / "first-start").exists()


def test_a_password_is_made_once_and_is_the_owners_alone(tmp_path):
    settings = Settings(data=tmp_path)
    made = password_of(settings, None)
    file = tmp_path / "admin-password"
    assert len(made) >= 20
    assert file.stat().st_mode & 0o777 == 0o600
    assert password_of(settings, None) == made
    assert password_of(settings, "told") == "told"


def test_the_greeting_tells_where_and_what_next_the_first_time(tmp_path, capsys):
    settings = Settings(data=tmp_path)
    password = password_of(settings, None)
    greet(settings, first=True)
    told = capsys.readouterr().out
    assert "windlass is ready at http://127.0.0.1:8000" in told
    assert "curl http://hello-demo.localhost:8080" in told
    assert str(tmp_path / "admin-password") in told
    assert password not in told
    greet(settings, first=False)
    assert "curl" not in capsys.readouterr().out
