import os
import signal
import subprocess

import pytest

from windlass.daemon.standing import Process, Standing, alone, record_of, write_private
from windlass.errors import Refused
from windlass.settings import Settings


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_what_was_written_is_read_and_nobody_else_may(tmp_path):
    us = Process.of(os.getpid())
    assert us
    told = Standing(Settings(data=tmp_path, workers=4), us, {"api": us})
    told.write()
    assert Standing.read(tmp_path) == told
    assert record_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_there_is_no_record_before_the_first_start(tmp_path):
    assert Standing.read(tmp_path) is None
    assert Standing.read(tmp_path / "missing") is None


def test_a_process_is_not_taken_for_another_one_with_its_number(sleeper):
    process = Process.of(sleeper.pid)
    assert process and process.alive
    other = Process(process.pid, process.begun + 1)
    assert not other.alive
    other.signal(signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_dead_process_is_none(sleeper):
    process = Process.of(sleeper.pid)
    assert process
    process.signal(signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive  # though its parent has not asked for it yet
    assert Process.of(sleeper.pid) is None


def test_only_one_has_the_data_folder(tmp_path):
    with alone(tmp_path), pytest.raises(Refused, match="runs already"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_a_private_file_is_replaced_whole(tmp_path):
    file = tmp_path / "secret"
    write_private(file, "one")
    (tmp_path / "secret.new").write_text("left by a crash")
    write_private(file, "two")
    assert file.read_text() == "two"
    assert file.stat().st_mode & 0o777 == 0o600
