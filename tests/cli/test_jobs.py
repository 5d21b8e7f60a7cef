import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from peer.scripted import elaborated, ends, goes_well, goes_wrong, stands_still, step


def test_watching_a_job_from_a_pipe_tells_each_change_in_a_line(windlass, peer):
    peer.add_job(goes_well())
    ended = windlass("job", "watch", 41)
    assert ended.code == 0
    assert ended.out == ""
    assert ended.err.splitlines() == [
        "Create application blog in demo (job 41)",
        "  running   Take a slot on a node",
        "  done      Take a slot on a node, 1.2 s",
        "  running   Create the gear",
        "    Collecting flask",
        "  retrying  Create the gear: connection refused",
        "  done      Create the gear, try 2, 1.2 s",
        "complete in 14 s",
    ]


def test_a_failed_job_says_which_step_and_why_and_what_to_type_next(windlass, peer):
    peer.add_job(goes_wrong())
    ended = windlass("job", "watch", 41)
    assert ended.code == 1
    assert ended.err.splitlines()[-3:] == [
        "    ERROR: no matching distribution",
        '✗ "Create the gear" failed after 3 tries: pip found no flask',
        "  → windlass job retry 41",
    ]
    assert "\x1b" not in ended.err


@pytest.mark.parametrize(
    ("phase", "sentence"),
    [
        ("cancelled", "Job 41 was cancelled; what it had done was taken back."),
        ("buried", "Job 41 is buried until an operator looks at it"),
    ],
)
def test_jobs_that_end_otherwise_have_failed_too(windlass, peer, phase, sentence):
    peer.add_job(goes_wrong(phase))
    ended = windlass("job", "watch", 41)
    assert ended.code == 1
    assert sentence in ended.err


def test_several_jobs_are_watched_at_once_and_one_failure_is_enough(windlass, peer):
    peer.add_job(goes_well())
    peer.add_job(goes_wrong())
    ended = windlass("job", "watch", 41, 42)
    assert ended.code == 1
    assert "[41] complete in 14 s" in ended.err
    assert "[42] failed in 14 s" in ended.err


def test_what_is_in_the_way_is_told(windlass, peer):
    waits = {"phase": "waiting", "waiting_for": ["http://x/broker/rest/jobs/40"]}
    asked = {"phase": "running", "waiting_for": [], "cancel_asked": True}
    peer.add_job([("job", waits), ("job", asked), ends("cancelled")])
    lines = windlass("job", "watch", 41).err.splitlines()
    assert "waiting for job 40" in lines
    assert "being cancelled" in lines


def test_waiting_too_long_leaves_the_job_running(windlass, peer):
    peer.add_job(stands_still())
    ended = windlass("job", "watch", 41, "--wait-timeout", "0.4")
    assert ended.code == 124
    assert "Not done after 0.4 s; job 41 goes on." in ended.err
    assert "windlass job watch 41" in ended.err
    assert all(method == "GET" for method, _, _ in peer.requests)


def test_jobs_are_listed_newest_first_in_every_form(windlass, peer):
    peer.add_job(phase="complete", status="complete", percent_complete=100.0)
    peer.add_job(title="Clone shop\x1b[2J\nin demo")
    table = windlass("job", "list").out.splitlines()
    assert table[0].split() == ["ID", "PHASE", "DONE", "TITLE", "OWNER", "CREATED"]
    assert table[1].startswith("42  ready")
    assert "Clone shop in demo" in table[1]
    assert "100 %" in table[2]
    assert windlass("job", "list", "-o", "name").out == "42\n41\n"
    assert [job["id"] for job in json.loads(windlass("job", "list", "-o", "json").out)] == [42, 41]
    assert [job["id"] for job in yaml.safe_load(windlass("job", "list", "-o", "yaml").out)] == [
        42,
        41,
    ]


def test_a_narrow_terminal_gets_fewer_columns_and_no_longer_lines(windlass, peer, env):
    peer.add_job(title="A title that is much longer than any terminal of sixty columns can show")
    env.setenv("COLUMNS", "60")
    lines = windlass("job", "list").out.splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert lines[1].startswith("41  ready")
    assert "…" in lines[1]
    env.delenv("COLUMNS")
    assert "sixty columns can show" in windlass("job", "list").out  # a pipe has no edge


def test_filters_reach_the_server(windlass, peer):
    windlass("job", "list", "-d", "demo", "-a", "blog", "--status", "failed", "--since", "2h")
    split = urlsplit(peer.requests[-1][1])
    assert split.path == "/broker/rest/domains/demo/applications/blog/jobs"
    query = parse_qs(split.query)
    assert query["status"] == ["failed"]
    age = datetime.now(UTC) - datetime.fromisoformat(query["since"][0])
    assert timedelta(hours=2) <= age < timedelta(hours=3)


def test_the_jobs_of_an_application_in_the_only_domain(windlass, peer):
    peer.add_domain("demo")
    windlass("job", "list", "-a", "blog")
    assert urlsplit(peer.requests[-1][1]).path == (
        "/broker/rest/domains/demo/applications/blog/jobs"
    )


def test_a_job_that_there_is_not_is_not_said_to_go_on(windlass, peer):
    peer.add_job(goes_well())
    ended = windlass("job", "watch", 41, 999)
    assert ended.code == 3
    assert "here is no job 999" in ended.err
    assert "999 goes on" not in ended.err
    assert "watch 999" not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("job", "list", "--status", "sleepy"),
        ("job", "list", "--phase", "sleepy"),
        ("job", "list", "--since", "whenever"),
        ("job", "list", "-o", "xml"),
        ("job", "list", "-n", "0"),
        ("job", "show", "forty"),
        ("job", "show", "0"),
        ("job", "watch"),
        ("job", "kick", "41"),
        ("job", "skip", "41", "--reason", "x"),
        ("nonsense",),
    ],
)
def test_usage_errors_are_two_and_ask_nobody(windlass, peer, arguments):
    ended = windlass(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err
    assert not peer.requests


def test_a_job_is_shown_with_its_steps(windlass, peer):
    failed = step(1, "failed", tries=3, error={"code": 1, "text": "no flask"})
    error = {"code": 1, "text": "no flask", "step": 1}
    peer.add_job(phase="failed", status="failed", steps=[step(0, "done"), failed], error=error)
    out = windlass("job", "show", 41).out
    assert "asked by     admin from 127.0.0.1" in out
    assert "✓ Take a slot on a node" in out
    assert "✗ Create the gear" in out
    assert "3 tries" in out
    assert json.loads(windlass("job", "show", 41, "-o", "json").out)["id"] == 41


def test_cancel_asks_and_says_how_to_see_it(windlass, peer):
    peer.add_job(phase="running", status="in_progress")
    ended = windlass("job", "cancel", 41)
    assert ended.code == 0
    assert peer.jobs[41]["cancel_asked"]
    assert "Job 41 is running and is being cancelled." in ended.err
    assert "windlass job watch 41" in ended.err


def test_cancelling_what_has_ended_is_refused(windlass, peer):
    peer.add_job(phase="complete", status="complete")
    ended = windlass("job", "cancel", 41)
    assert ended.code == 5
    assert "Job 41 has ended" in ended.err


def test_retry_makes_a_new_job_and_waits_for_it(windlass, peer):
    peer.add_job(phase="failed", status="failed")
    ended = windlass("job", "retry", 41, "-o", "name")
    assert (ended.code, ended.out) == (0, "42\n")


@pytest.mark.parametrize("event", ["kick", "undo", "discard"])
def test_operators_give_a_reason(windlass, peer, event):
    peer.add_job(phase="buried")
    ended = windlass("job", event, 41, "--reason", "room again")
    assert ended.code == 0
    assert peer.requests[-1][1].endswith("/jobs/41/events")


def test_skip_names_the_step(windlass, peer):
    peer.add_job([elaborated()], phase="buried")
    assert windlass("job", "skip", 41, "--step", 3, "--reason", "by hand").code == 0


def test_no_such_job_is_three(windlass):
    for verb in ("show", "watch"):
        ended = windlass("job", verb, 99)
        assert ended.code == 3
        assert "There is no job 99" in ended.err
