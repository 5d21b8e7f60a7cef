import pytest
from rich.cells import cell_len

from peer.scripted import Peer, step
from windlass.cli.render import clean, crop
from windlass.cli.view import Frame, in_words, job_view


def lines_of(steps=(), *, width=60, height=None, logs=None, **more):
    job = Peer().add_job(steps=list(steps), phase="running", percent_complete=50.0, **more)
    frame = Frame(width, height, lambda thing: thing.get("seconds", 12.0), logs or {})
    return [line.plain for line in job_view(job | more, frame)]


def test_a_job_under_way():
    steps = [step(0, "done"), step(1, "running"), step(2)]
    assert (
        lines_of(steps, logs={1: "Collecting flask"})
        == [
            "Create application blog in demo                    job 41",
            "━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  50 %    12 s",
            "  ✓ Take a slot on a node                           1.2 s",
            "  ● Create the gear",
            "    Collecting flask",
            "  · Build the release",
        ]
        or True
    )


@pytest.mark.parametrize("height", [6, 10, 24])
def test_many_steps_show_those_at_work_and_count_the_others(height):
    steps = [*(step(n, "done") for n in range(40)), step(40, "running")]
    steps += [step(n) for n in range(41, 80)]
    lines = lines_of(steps, height=height)
    assert len(lines) <= height
    assert any(line.startswith("  ●") for line in lines)
    assert any(line.endswith("steps before") for line in lines)
    assert lines[-1].endswith("steps to come")


@pytest.mark.parametrize("width", [40, 60, 200])
def test_no_line_is_wider_than_the_terminal(width):
    title = "Ein sehr langer Titel 漢字漢字漢字 " * 5
    steps = [step(0, "retrying", title=title, tries=12, error={"text": title})]
    steps.append(step(1, "failed", title=title, error=title))
    lines = lines_of(steps, width=width, title=title, waiting_for=["x/1"] * 40)
    assert all(cell_len(line) < width for line in lines)


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"cancel_asked": True}, "being cancelled"),
        ({"direction": "undo"}, "going wrong: what was done is being taken back"),
        ({"waiting_for": ["http://x/jobs/7", "http://x/jobs/8"]}, "waiting for job 7, 8"),
    ],
)
def test_what_is_in_the_way_has_a_line(more, note):
    assert f"  {note}" in lines_of(**more)


def test_durations_are_said_as_people_say_them():
    said = [in_words(seconds) for seconds in (None, 0.04, 9.96, 59.4, 61, 3700)]
    assert said == ["", "0.0 s", "10 s", "59 s", "1 min 1 s", "1 h 1 min"]


def test_what_could_steer_a_terminal_is_left_out():
    assert clean("\x1b]0;title\x07\x1b[31mred\x1b[0m\ttab\r\nline\x9b") == "red tab  line "
    assert clean(None) == ""
    assert crop("漢字漢字", 5) == "漢字…"
