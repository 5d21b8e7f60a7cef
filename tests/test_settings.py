"""Settings: who wins, and what is refused in words."""

from pathlib import Path

import pytest

from windlass.errors import Refused
from windlass.settings import Settings


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    (tmp_path / "windlass.toml").write_text(
        'listen = "127.0.0.1:1"\napps = "127.0.0.1:2"\nslots = 3\n'
    )
    environ = {
        "WINDLASS_DATA": str(tmp_path),
        "WINDLASS_LISTEN": "127.0.0.1:4",
        "WINDLASS_SLOTS": "5",
    }
    settings = Settings.read({"slots": 6}, environ)
    assert (settings.slots, settings.listen, settings.apps) == (6, "127.0.0.1:4", "127.0.0.1:2")
    assert settings.database_url == f"sqlite:///{tmp_path}/windlass.db"
    assert settings.url == "http://127.0.0.1:4"


def test_lists_and_truths_are_read_from_text(tmp_path: Path) -> None:
    environ = {"WINDLASS_TUBES": "fast,slow", "WINDLASS_NO_QUICKSTART": "yes"}
    settings = Settings.read({"data": tmp_path}, environ)
    assert settings.tubes == ("fast", "slow")
    assert settings.no_quickstart


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"listen": ":8000"}, "HOST:PORT"),
        ({"listen": "nowhere"}, "HOST:PORT"),
        ({"listen": "127.0.0.1:99999"}, "HOST:PORT"),
        ({"listen": "192.0.2.1:80"}, "--behind-proxy"),
        ({"listen": "0.0.0.0:80", "behind_proxy": True}, "--public-url"),
        ({"slots": 0}, "--slots"),
        ({"keep_steps": -1}, "--keep-steps"),
        ({"keep_jobs": 0.5}, "--keep-jobs"),
        ({"keep_jobs": "nan"}, "--keep-jobs"),
        ({"tubes": ("fast:often",)}, "--tubes"),
        ({"workers": "many"}, "workers"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    tmp_path: Path, flags: dict[str, object], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        Settings.read({"data": tmp_path, **flags}, {})


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "windlass.toml").write_text("listen = ")
    with pytest.raises(Refused, match=r"windlass\.toml"):
        Settings.read({"data": tmp_path}, {})
