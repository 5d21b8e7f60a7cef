from dataclasses import fields
from pathlib import Path

import typer
from typer.testing import CliRunner

from windlass.daemon.options import environment_of, settings_of, takes
from windlass.settings import Settings


def read(*argv: str, names: tuple[str, ...] = ()) -> Settings:
    """The settings that a verb with these flags is called with."""
    seen: list[Settings] = []
    app = typer.Typer()
    app.command()(takes(*names)(seen.append))  # type: ignore[arg-type]
    result = CliRunner().invoke(app, list(argv), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return seen[0]


def help_of(*names: str) -> str:
    app = typer.Typer()

    @takes(*names)
    def verb(settings: Settings) -> None:
        """A sentence."""

    app.command()(verb)
    return CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output


def test_every_setting_is_a_flag_and_shows_its_help():
    told = help_of()
    for one in fields(Settings):
        assert f"--{one.name.replace('_', '-')}" in told
        assert str(one.metadata["help"]).split(";")[0][:40] in told


def test_a_verb_has_only_the_flags_that_it_asks_for():
    told = help_of("data", "database")
    assert "--data" in told
    assert "--listen" not in told


def test_flags_of_every_kind_arrive(tmp_path):
    settings = read(
        *("--data", str(tmp_path), "--listen", "127.0.0.1:9000", "--workers", "3"),
        *("--no-quickstart", "--tubes", "a", "--tubes", "b", "--cartridges", "/x"),
        *("--keep-steps", "0.5"),
    )
    assert settings.keep_steps == 0.5
    assert (settings.data, settings.listen, settings.workers) == (tmp_path, "127.0.0.1:9000", 3)
    assert settings.no_quickstart
    assert settings.tubes == ("a", "b")
    assert settings.cartridges == (Path("/x"),)


def test_what_nobody_says_stays_as_it_is(tmp_path):
    assert read("--data", str(tmp_path)) == Settings(data=tmp_path)


def test_the_environment_of_a_child_says_the_same(tmp_path):
    told = Settings(
        data=tmp_path / "with space",
        workers=2,
        tubes=("a", "b"),
        trusted_proxies=(),
        build_env=(),
        no_quickstart=True,
        database="postgresql://somebody:secret@host/db",
    )
    assert settings_of(environment_of(told)) == told
