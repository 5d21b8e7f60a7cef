from pathlib import Path

from windlass.folders import (
    SOCKET_LIMIT,
    make_run_folder,
    own_run_folder,
    remove_run_folder,
    run_folder,
    too_long,
)

DATA = Path("/var/lib/windlass")


def test_root_has_its_sockets_in_run():
    assert own_run_folder(DATA, {}, 0).parent == Path("/run/windlass")


def test_a_user_has_them_in_the_runtime_folder_or_in_the_cache():
    runtime = own_run_folder(DATA, {"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/home/ada"}, 7)
    assert runtime.parent == Path("/run/user/7/windlass")
    assert own_run_folder(DATA, {"HOME": "/home/ada"}, 7).parent == Path(
        "/home/ada/.cache/windlass/run"
    )


def test_every_data_folder_has_its_own_run_folder():
    assert own_run_folder(DATA, {}, 0) != own_run_folder(DATA / "other", {}, 0)
    assert own_run_folder(DATA, {}, 0) == own_run_folder(Path("/var/lib/windlass/"), {}, 0)


def test_too_long_a_path_is_seen():
    assert not too_long(Path("/run/windlass/12345678"))
    assert too_long(Path("/" + "x" * (SOCKET_LIMIT - 10)))


def test_the_run_folder_stays_the_same_whatever_the_environment_says_later(tmp_path, monkeypatch):
    data, runtime = tmp_path / "data", tmp_path / "runtime"
    data.mkdir()
    monkeypatch.setattr("windlass.folders.run_parent", lambda *_: runtime / "windlass")
    made = make_run_folder(data)
    monkeypatch.setattr("windlass.folders.run_parent", lambda *_: tmp_path / "elsewhere")
    assert run_folder(data) == made
    assert make_run_folder(data) == made
    remove_run_folder(data)
    assert not made.exists()
    assert run_folder(data).parent == tmp_path / "elsewhere"
