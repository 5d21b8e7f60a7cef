"""What cannot be is refused in one line, and leaves nothing behind."""

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from windlass.daemon.standing import Process, Standing
from windlass.settings import Settings

DEADLINE = 120


@pytest.fixture
def environ(tmp_path):
    """The environment of somebody who has nothing yet, and fine settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WINDLASS_")}
    return {
        **kept,
        "HOME": str(tmp_path / "home"),
        "WINDLASS_DATA": str(tmp_path / "data"),
        "WINDLASS_LISTEN": "127.0.0.1:0",
        "WINDLASS_APPS": "127.0.0.1:0",
        "WINDLASS_NODE": "memory:",
    }


def windlassd(environ, *words: str, **more) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "windlass.daemon.main", *words]
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=DEADLINE, **more
    )


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one line in which it was refused."""
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("windlassd: ")
    return lines[0]


@pytest.mark.parametrize("name", ["WINDLASS_LISTEN", "WINDLASS_APPS"])
def test_a_port_in_use(environ, tmp_path, name):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        line = refused(windlassd({**environ, name: where}, "up"))
    assert f"{where} is in use" in line
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_cannot_be(environ, tmp_path):
    (tmp_path / "file").write_text("")
    line = refused(windlassd(environ, "up", "--data", str(tmp_path / "file" / "data")))
    assert "is not a folder" in line
    assert "--data" in line


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_a_data_folder_of_somebody_else(environ, tmp_path):
    # The interpreter itself may lie where others cannot read it, so only the check is run there.
    code = (
        "import os, sys; from pathlib import Path;"
        "from windlass.daemon.checks import data_writable;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "print(data_writable(Path(sys.argv[1])).trouble)"
    )
    tmp_path.chmod(0o755)
    command = [sys.executable, "-c", code, "/usr/windlass"]
    result = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=DEADLINE)
    assert "/usr/windlass is not writable for you" in result.stdout, result.stderr


def test_a_newer_database(environ, tmp_path):
    assert windlassd(environ, "migrate").returncode == 0
    with closing(sqlite3.connect(tmp_path / "data" / "windlass.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'from the future'")
        database.commit()
    for verb in ("up", "serve", "work", "migrate"):
        assert "newer windlass" in refused(windlassd(environ, verb))


@pytest.mark.parametrize(
    ("user", "name"), [("nobody-we-know", "postgres"), ("", "no-such-database")]
)
def test_a_database_that_there_is_not(environ, postgres, user, name):
    url = postgres.url(name)
    url = url.replace(f"//{postgres.user}@", f"//{user or postgres.user}@")
    for verb in ("up", "migrate", "workers"):
        line = refused(windlassd({**environ, "WINDLASS_DATABASE": url}, verb))
        assert "the database server refuses us" in line
        assert (user or name) in line


def test_what_up_was_given_is_what_workers_and_migrate_look_at(environ, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    Standing(Settings(data=data, database=url)).write()
    for verb in ("workers", "serve", "work"):
        assert "no tables yet" in refused(windlassd(environ, verb))
    assert windlassd(environ, "migrate").stdout == "Made the database's tables.\n"
    assert windlassd(environ, "workers").stdout.startswith("No worker is there")
    assert not (data / "windlass.db").exists()


@pytest.mark.parametrize("verb", ["serve", "work"])
def test_a_part_without_its_tables_names_the_command(environ, tmp_path, verb):
    assert "run `windlassd migrate`" in refused(windlassd(environ, verb))


def test_migrate_says_what_it_did(environ):
    assert windlassd(environ, "migrate").stdout == "Made the database's tables.\n"
    assert windlassd(environ, "migrate").stdout == "The database is up to date.\n"


def test_limits_of_nobody_and_limits_that_cannot_be(environ):
    assert "windlassd migrate" in refused(windlassd(environ, "user", "limits", "anna"))
    windlassd(environ, "migrate")
    assert "no user anna" in refused(windlassd(environ, "user", "limits", "anna", "--gears", "2"))
    for limit in ("-1", "many", "1000001"):
        assert windlassd(environ, "user", "limits", "anna", "--gears", limit).returncode == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root's run folder is always short")
def test_a_run_folder_whose_path_is_too_long(environ, tmp_path):
    line = refused(windlassd({**environ, "XDG_RUNTIME_DIR": f"/tmp/{'x' * 100}"}, "up"))
    assert "too long for a socket" in line


def test_a_second_up_on_the_same_data(environ, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    Standing(Settings(data=data), Process.of(os.getpid())).write()
    line = refused(windlassd(environ, "up"))
    assert f"runs already on {data}" in line


def test_no_bubblewrap(environ, tmp_path):
    if any(Path(folder, "bwrap").exists() for folder in ("/usr/bin", "/usr/local/bin", "/bin")):
        pytest.skip("bubblewrap is here, where it is always looked for")
    line = refused(windlassd({**environ, "WINDLASS_NODE": "local:"}, "up"))
    assert "bubblewrap" in line


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("--listen", "nonsense"), "--listen wants HOST:PORT"),
        (("--listen", "0.0.0.0:8000"), "--behind-proxy"),
        (("--slots", "0"), "--slots"),
        (("--database", "foo"), "--database is sqlite:///FILE or postgresql://"),
        (("--database", "mysql://root@localhost/x"), "--database is sqlite:///FILE or postgresql:"),
        (("--queue", "kafka://x"), "nothing here speaks 'kafka'; there is beanstalkd,"),
        (("--node", "moon:"), "nothing here speaks 'moon'"),
    ],
)
def test_settings_that_cannot_be(environ, words, word):
    assert word in refused(windlassd(environ, "up", *words))


def test_a_password_that_is_too_short(environ, tmp_path):
    line = refused(windlassd({**environ, "WINDLASS_ADMIN_PASSWORD": "short"}, "up"))
    assert "a password has" in line
    assert not (tmp_path / "data").exists()


def test_an_unknown_flag_is_a_matter_of_usage(environ):
    assert windlassd(environ, "up", "--nonsense").returncode == 2


def test_down_and_status_where_nothing_ever_ran(environ, tmp_path):
    down = windlassd(environ, "down")
    assert (down.returncode, down.stdout) == (0, "Nothing was running.\n")
    status = windlassd(environ, "status")
    assert status.returncode == 1
    assert "never ran" in status.stdout
    assert not (tmp_path / "data").exists()


def test_version_and_help(environ):
    assert windlassd(environ, "--version").stdout.startswith("windlassd 0.")
    assert windlassd(environ, "-h").returncode == 0
    assert windlassd(environ, "up", "-h").returncode == 0


LOOKED_AT = ("data folder", "sockets", "leftovers", "python3", "git", "--listen", "--apps")
SAID = ("files", "user", "network", "memory", "processes", "cpu", "disk")


def test_doctor_looks_at_everything_and_makes_nothing(environ, tmp_path):
    result = windlassd({**environ, "WINDLASS_NODE": "local:"}, "doctor")
    for name in (*LOOKED_AT, *SAID):
        assert f" {name} " in result.stdout
    assert not (tmp_path / "data").exists()
