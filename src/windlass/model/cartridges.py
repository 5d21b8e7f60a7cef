"""Cartridges: what is put into a gear; data in a folder, no Python of ours."""

import signal
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from windlass.errors import Refused


class Action(StrEnum):
    """What can be done to what runs in a gear, or to its home, without another release."""

    RELOAD = "reload"
    THREAD_DUMP = "thread-dump"
    KILL = "kill"
    TIDY = "tidy"


EVERYWHERE = (Action.KILL, Action.TIDY)  # what needs nothing of a cartridge


@dataclass(frozen=True)
class Cartridge:
    """A cartridge's manifest and the folder it was read from.

    The folder holds `bin/install`, `bin/build`, `bin/control` and `template/`; all of them run
    inside a gear's sandbox.
    """

    name: str
    display_name: str
    description: str
    category: str
    folder: Path
    health_path: str = "/"
    health_grace: float = 30.0  # seconds from start to the first answer
    needs: tuple[str, ...] = ()  # programs that the machine must have
    signals: Mapping[Action, int] = field(default_factory=dict)  # what its processes listen to

    def knows(self, action: Action) -> bool:
        """Whether this can be asked of it."""
        return action in EVERYWHERE or action in self.signals

    builds: tuple[str, ...] = ()  # files without which `bin/build` has nothing to do; none: always


def read_manifest(text: str, folder: Path) -> Cartridge:
    """A cartridge from its `manifest.toml`; Refused with file and reason if it is not one."""
    try:
        manifest = tomllib.loads(text)
        health = manifest.get("health", {})
        return Cartridge(
            name=manifest["name"],
            display_name=manifest.get("display_name", manifest["name"]),
            description=manifest.get("description", ""),
            category=manifest.get("category", "web"),
            folder=folder,
            health_path=health.get("path", "/"),
            health_grace=float(health.get("grace", 30)),
            needs=tuple(manifest.get("needs", ())),
            signals=signals(manifest.get("actions", {})),
            builds=tuple(manifest.get("build", {}).get("when", ())),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"{folder / 'manifest.toml'} is not a cartridge's manifest: {error}"
        ) from None


def signals(actions: Mapping[str, str]) -> dict[Action, int]:
    """The signal for each action of a manifest, named without SIG; ValueError for any other."""
    found = {}
    for name, told in actions.items():
        action = Action(name)
        number = getattr(signal, f"SIG{told}", None)
        if action in EVERYWHERE or number is None:
            raise ValueError(f"[actions] {name} = {told!r}: an action wants a signal, as in HUP")
        found[action] = int(number)
    return found
