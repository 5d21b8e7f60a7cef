"""The cartridges that there are: folders with a manifest, ours and the operator's."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from windlass.errors import NotFound, Refused
from windlass.model.cartridges import Cartridge, read_manifest

SHIPPED = Path(__file__).parent / "cartridges"


class Catalog:
    """Cartridges by name."""

    def __init__(self, cartridges: Mapping[str, Cartridge]) -> None:
        self.cartridges = dict(sorted(cartridges.items()))

    @classmethod
    def read(cls, folders: Iterable[Path]) -> "Catalog":
        """What the shipped folder and these hold; a later one wins. Refused where one is broken."""
        found = {}
        for folder in (SHIPPED, *folders):
            if not folder.is_dir():
                raise Refused(f"--cartridges {folder}: there is no such folder")
            for manifest in sorted(folder.glob("*/manifest.toml")):
                cartridge = read_manifest(manifest.read_text(), manifest.parent.absolute())
                found[cartridge.name] = cartridge
        return cls(found)

    def get(self, name: str) -> Cartridge:
        """A cartridge, or NotFound with those there are."""
        if name not in self.cartridges:
            there = ", ".join(self.cartridges)
            raise NotFound(f"there is no cartridge {name!r}; there is {there}", field="cartridge")
        return self.cartridges[name]

    def missing(self, cartridge: Cartridge) -> list[str]:
        """The programs that this machine lacks for it."""
        return [program for program in cartridge.needs if shutil.which(program) is None]
