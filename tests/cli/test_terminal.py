"""What only a process of its own shows: pipes that close, signals, terminals, full disks."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from peer.scripted import goes_well, stands_still
from windlass.cli.main import app

PATIENCE = 30


def drain(end):
    """All that was written to a terminal, until its other end is closed."""
    told = b""
    while True:
        try:
            piece = os.read(end, 65536)
        except OSError:  # what Linux says instead of an end
            break
        if not piece:
            break
        told += piece
    os.close(end)
    return told.decode()


def in_terminal(spawn, *arguments, **more):
    ours, theirs = pty.openpty()
    process = spawn(*arguments, stdin=theirs, stdout=theirs, stderr=theirs, **more)
    os.close(theirs)
    return process, ours


@pytest.fixture
def sixty(env):
    env.setenv("TERM", "xterm-256color")
    env.setenv("COLUMNS", "60")
    env.setenv("LINES", "24")
    return env


def test_a_terminal_shows_the_job_as_it_goes(spawn, sixty, peer):
    peer.add_job(goes_well())
    process, end = in_terminal(spawn, "job", "watch", 41)
    told = drain(end)
    assert process.wait(PATIENCE) == 0
    assert "\x1b[32m" in told  # calm, but not grey
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told).replace("\r", "\n").split("\n")
    assert all(len(line) < 60 for line in lines)
    last = [line.rstrip() for line in lines if line.strip()][-4:]
    assert last[0].startswith("Create application blog in demo") and last[0].endswith("job 41")
    assert last[1].startswith("━━━") and last[1].endswith("complete    14 s")
    assert last[2].startswith("  ✓ Take a slot on a node") and last[2].endswith("1.2 s")
    assert last[3].startswith("  ✓ Create the gear") and "2 tries" in last[3]


def test_no_color_is_obeyed(spawn, sixty, peer):
    sixty.setenv("NO_COLOR", "1")
    peer.add_job(goes_well())
    process, end = in_terminal(spawn, "job", "watch", 41)
    told = drain(end)
    assert process.wait(PATIENCE) == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", told)


def test_a_dumb_terminal_gets_lines(spawn, sixty, peer):
    sixty.setenv("TERM", "dumb")
    peer.add_job(goes_well())
    process, end = in_terminal(spawn, "job", "watch", 41)
    told = drain(end)
    assert process.wait(PATIENCE) == 0
    assert "\x1b" not in told
    assert "  done      Take a slot on a node, 1.2 s" in told


def test_ctrl_c_leaves_the_job_and_says_how_to_come_back(spawn, peer):
    peer.add_job(stands_still())
    process = spawn("job", "watch", 41)
    told = process.stderr.readline()
    assert "job 41" in told
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Detached; job 41 goes on." in err
    assert "windlass job watch 41" in err
    assert "Traceback" not in err
    assert not peer.jobs[41]["cancel_asked"]


def test_deleting_asks_in_a_terminal(spawn, sixty, peer):
    peer.add_domain("demo")
    for answer, code in ((b"n\n", 1), (b"y\n", 0)):
        process, end = in_terminal(spawn, "domain", "delete", "demo")
        os.write(end, answer)
        assert "Delete the domain demo, for good?" in drain(end)
        assert process.wait(PATIENCE) == code
        assert ("demo" in peer.domains) == (code == 1)


def test_a_reader_that_has_seen_enough_is_no_error(spawn, peer):
    for _ in range(400):
        peer.add_job(title="x" * 500)
    process = spawn("job", "list", "-n", "400")
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(PATIENCE) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [("job", "list"), ("--help",), ("--version",)])
def test_a_full_disk_is_one_line(spawn, peer, arguments):
    peer.add_job()
    with Path("/dev/full").open("w") as full:
        process = spawn(*arguments, stdout=full)
        err = process.stderr.read()
    assert process.wait(PATIENCE) == 1
    assert len(err.splitlines()) == 1
    assert "No space left on device" in err


def test_closed_streams_and_poor_encodings_are_borne(spawn, env, peer):
    peer.add_job(title="Clone the shop ✓ — ünï")
    env.setenv("PYTHONIOENCODING", "ascii")
    process = spawn("job", "list")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert "Clone the shop ? ? " in out
    program = "from windlass.cli.main import main; main()"
    shell = f'exec "$0" -c "{program}" job list >&- 2>&-'
    assert subprocess.run(["/bin/sh", "-c", shell, sys.executable], check=False).returncode == 0


def commands(typer_app, before=()):
    for group in typer_app.registered_groups:
        if group.name:
            yield from commands(group.typer_instance, (*before, group.name))
        else:
            yield from commands(group.typer_instance, before)
    for command in typer_app.registered_commands:
        yield (*before, command.name or command.callback.__name__)


def test_every_help_has_examples_and_fits(windlass, env):
    env.setenv("COLUMNS", "80")
    known = list(commands(app))
    assert len(known) > 28
    for words in [(), ("app",), ("domain",), ("job",), ("token",), *known]:
        ended = windlass(*words, "--help")
        assert ended.code == 0
        assert "Examples:\n    windlass " in ended.out
        assert f"    windlass {' '.join(words)}" in ended.out
        assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_the_list_of_jobs_goes_on_as_lines_until_ctrl_c(spawn, peer):
    peer.add_job(phase="complete", percent_complete=100.0)
    process = spawn("job", "list", "--watch", "-o", "json")
    assert json.loads(process.stdout.readline())["id"] == 41
    peer.add_job()
    assert json.loads(process.stdout.readline())["id"] == 42
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "")
