"""Cartridges: what is put into a gear; data in a folder, no Python of ours."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from windlass.errors import Refused


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
            builds=tuple(manifest.get("build", {}).get("when", ())),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise Refused(
            f"{folder / 'manifest.toml'} is not a cartridge's manifest: {error}"
        ) from None
