import os
import socket
import subprocess

import pytest

from windlass.daemon import checks
from windlass.daemon.standing import Process, Standing
from windlass.errors import Refused
from windlass.nodes.local.sandbox import find_bwrap
from windlass.settings import Settings


@pytest.fixture
def taken():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield f"127.0.0.1:{one.getsockname()[1]}"


def test_a_port_in_use_is_named_with_the_flag_that_mends_it(taken):
    check = checks.port_free(taken, "listen")
    assert check.trouble == f"{taken} is in use by another program"
    assert "--listen" in check.fix


def test_an_address_that_is_not_ours_is_named():
    assert "cannot listen on 192.0.2.1:8000" in checks.port_free("192.0.2.1:8000", "apps").trouble


def test_the_routers_own_port_is_no_trouble(tmp_path, taken):
    settings = Settings(data=tmp_path, apps=taken, listen="127.0.0.1:0", node="memory:")
    checks.refuse_trouble(settings, routed=True)
    with pytest.raises(Refused, match="--apps"):
        checks.refuse_trouble(settings, routed=False)


def test_a_file_is_no_data_folder(tmp_path):
    (tmp_path / "file").write_text("")
    assert "is not a folder" in checks.data_writable(tmp_path / "file").trouble
    assert "is not a folder" in checks.data_writable(tmp_path / "file" / "below").trouble


def test_a_data_folder_may_be_made_where_we_may_write(tmp_path):
    assert not checks.data_writable(tmp_path / "a" / "b").trouble


def test_a_running_up_is_named(tmp_path):
    us = Process.of(os.getpid())
    Standing(Settings(data=tmp_path), us).write()
    check = checks.not_running(tmp_path)
    assert str(os.getpid()) in check.trouble
    assert "windlassd down" in check.fix


def test_a_dead_up_is_no_trouble(tmp_path):
    gone = subprocess.Popen(["true"])
    process = Process.of(gone.pid) or Process(gone.pid, 1)
    gone.wait()
    Standing(Settings(data=tmp_path), process).write()
    assert not checks.not_running(tmp_path).trouble


def test_without_bubblewrap_the_package_is_named(monkeypatch):
    monkeypatch.setattr(checks, "find_bwrap", lambda: find_bwrap_in_nothing(monkeypatch))
    check = checks.sandbox()
    assert "apt install bubblewrap" in check.trouble


def find_bwrap_in_nothing(monkeypatch) -> str:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    return find_bwrap()


def test_only_gears_on_this_machine_need_a_sandbox(tmp_path):
    assert checks.needs_sandbox(Settings(data=tmp_path))
    assert not checks.needs_sandbox(Settings(data=tmp_path, node="file:/x"))
    assert not checks.needs_sandbox(Settings(data=tmp_path, insecure_no_sandbox=True))


def test_trouble_is_refused_in_one_sentence():
    with pytest.raises(Refused, match="it is bad; mend it"):
        checks.refuse(checks.Check("x", trouble="it is bad", fix="mend it"))
    checks.refuse(checks.Check("x", "all is well"))
