"""Flags made out of the fields of Settings, so that each exists once."""

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any, get_origin

import typer

from windlass.settings import Settings

Verb = Callable[..., None]
DATA = ("data",)
STORE = ("data", "database")


def takes(*names: str) -> Callable[[Verb], Callable[..., None]]:
    """Give a verb the flags of these settings (or of all), and call it with what they say.

    What it takes beside the settings stays its own.
    """

    def dress(verb: Verb) -> Callable[..., None]:
        own = list(signature(verb).parameters.values())[1:]

        def dressed(**flags: Any) -> None:
            told = {one.name: flags.pop(one.name) for one in own}
            verb(Settings.read(flags, os.environ), **told)

        chosen = [one for one in fields(Settings) if not names or one.name in names]
        dressed.__name__, dressed.__doc__ = verb.__name__, verb.__doc__
        # Typer reads flags off a signature: the one that we write here.
        dressed.__signature__ = Signature([*own, *map(flag, chosen)])  # type: ignore[attr-defined]
        dressed.__annotations__ = {}
        return dressed

    return dress


def flag(one: Field[Any]) -> Parameter:
    """A field as the parameter out of which Typer makes a flag."""
    option = typer.Option(
        None,
        f"--{one.name.replace('_', '-')}",
        help=helped(one),
        metavar=None if one.type is bool else metavar(one),
        show_default=False,
    )
    return Parameter(one.name, Parameter.KEYWORD_ONLY, default=option, annotation=flag_type(one))


def flag_type(one: Field[Any]) -> Any:
    """What the command line takes; None tells that nobody said anything."""
    if get_origin(one.type) is tuple:
        return list[str] | None
    return one.type | None  # type: ignore[operator]


def metavar(one: Field[Any]) -> str:
    """What stands behind the flag in `--help`."""
    if one.name in ("listen", "apps"):
        return "HOST:PORT"
    if one.type in (int, float):
        return "N"
    return "FOLDER" if one.type in (Path, tuple[Path, ...]) else "TEXT"


def helped(one: Field[Any]) -> str:
    """The sentence of the field, and what holds if nobody says anything."""
    sentence = str(one.metadata["help"])
    if get_origin(one.type) is tuple:
        sentence += "; may be said several times"
    if one.type is bool or one.default in ("", (), Path()):
        return sentence
    usual = ",".join(one.default) if isinstance(one.default, tuple) else one.default
    return f"{sentence} [default: {usual}]"


def environment_of(settings: Settings) -> dict[str, str]:
    """The WINDLASS_* variables that say the same again, to a process that we start.

    Not flags: a database's URL may hold a password, and everyone may read a command line.
    """
    return {
        f"WINDLASS_{one.name.upper()}": as_text(getattr(settings, one.name))
        for one in fields(settings)
    }


def as_text(value: Any) -> str:
    """A setting as the environment and the file of what stands have it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def settings_of(environ: Mapping[str, str]) -> Settings:
    """The settings that `environment_of` has written down."""
    return Settings.read({}, environ)
