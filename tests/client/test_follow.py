import json

import pytest

from peer.scripted import DROP, HANG, elaborated, ends, goes_well, step
from windlass.client import Problem, follow, has_ended
from windlass.client.sse import Message, messages


def kinds(client, job):
    return [change.kind for _, change in follow(client, job["id"])]


def test_a_job_is_told_whole_after_every_change(client, peer):
    job = peer.add_job(goes_well())
    story = list(follow(client, job["id"]))
    assert [change.kind for _, change in story] == [
        "snapshot", "step", "step", "job", "step", "log", "step", "step", "end",
    ]  # fmt: skip
    states = [[one["state"] for one in told["steps"]] for told, _ in story]
    assert states[1] == ["running", "planned"]
    assert states[6] == ["done", "retrying"]
    assert states[-1] == ["done", "done"]
    assert story[3][0]["percent_complete"] == 50.0
    assert story[5][1].text == "Collecting flask"
    assert has_ended(story[-1][0])


def test_a_broken_connection_goes_on_where_it_was(client, peer):
    script = goes_well()
    script.insert(3, (DROP, None))
    job = peer.add_job(script)
    story = list(follow(client, job["id"]))
    assert "found" in [change.kind for _, change in story]
    assert [one["state"] for one in story[-1][0]["steps"]] == ["done", "done"]
    assert peer.requests[-1][2]["Last-Event-ID"] == "3"


def test_a_server_that_restarts_is_waited_for_and_its_absence_told(client, peer):
    script = goes_well()
    script.insert(2, (DROP, None))
    job = peer.add_job(script)
    told = follow(client, job["id"])
    next(told)
    peer.ill = [503, DROP]
    seen = [change.kind for _, change in told]
    assert seen.count("lost") == 2
    assert seen[-1] == "end"


def test_who_comes_late_hears_the_end(client, peer):
    job = peer.add_job(phase="complete", status="complete")
    assert kinds(client, job) == ["snapshot"]


def test_a_buried_job_is_not_sat_by(client, peer):
    buried = {"phase": "buried", "status": "in_progress"}
    job = peer.add_job([elaborated(), ("job", buried), (HANG, None)])
    assert kinds(client, job) == ["snapshot", "job"]


def test_steps_that_come_after_the_first_snapshot_are_known(client, peer):
    running = {"phase": "running", "percent_complete": 0.0}
    job = peer.add_job([("job", running), ("step", step(0, "done")), ends("complete")])
    story = list(follow(client, job["id"]))
    assert [one["state"] for one in story[-1][0]["steps"]] == ["done"]


def test_a_job_that_is_not_there_is_a_problem_at_once(client):
    with pytest.raises(Problem) as caught:
        list(follow(client, 7))
    assert caught.value.status == 404


def test_a_server_that_stays_away_ends_the_patience(client, peer):
    job = peer.add_job(goes_well())
    peer.ill = [503] * 50
    with pytest.raises(Problem) as caught:
        list(follow(client, job["id"], patience=0.0))
    assert caught.value.status == 503


def test_messages_may_come_in_any_pieces():
    first = 'event: log\r\nid: 7\r\ndata: {"a":\u2028"ä"}\r\n\r\n'
    whole = f"{first}: hello\n\ndata:1\ndata: 2\n\nevent: x\ndata: half".encode()
    told = [Message("log", '{"a":\u2028"ä"}', "7"), Message("message", "1\n2", "7")]
    for size in (1, 2, 5, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert list(messages(pieces)) == told


def test_a_line_separator_inside_a_log_line_does_not_break_the_stream(client, peer):
    line = {"step": 0, "text": "one\u2028two\x85three"}
    job = peer.add_job([elaborated(), ("log", line), ends("complete")])
    texts = [change.text for _, change in follow(client, job["id"]) if change.kind == "log"]
    assert texts == [line["text"]]
    assert json.dumps(line, ensure_ascii=False).count("\u2028") == 1
