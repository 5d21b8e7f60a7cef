"""Records that the journal can hold: stored by kind and version, revived as their class."""

import re
from typing import Any, ClassVar, TypeVar

import msgspec

from windlass.errors import Refused

_classes: dict[str, type["Known"]] = {}


class Known:
    """A frozen dataclass with a kind, found again by it.

    `class AddAlias(Operation[Broker], kind="add-alias", version=2)`; without a kind the class's
    name serves. New fields come with defaults; what needs more gets a new version and `upgrade`.
    """

    kind: ClassVar[str]
    version: ClassVar[int]
    words: ClassVar[str]  # the class's name as words: `CreateGear` is "Create gear"

    def __init_subclass__(
        cls, kind: str | None = None, version: int = 1, *, base: bool = False, **more: Any
    ) -> None:
        super().__init_subclass__(**more)
        if base:
            return  # what only others build on is never stored
        cls.words = kebab(cls.__name__).replace("-", " ").capitalize()
        cls.kind = kind or kebab(cls.__name__)
        cls.version = version
        other = _classes.get(cls.kind)
        if other is not None and other.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.__qualname__} and {other.__qualname__} are both {cls.kind!r}")
        _classes[cls.kind] = cls

    @classmethod
    def upgrade(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        """The data of an older version as this one has them; Refused where that cannot be."""
        raise Refused(f"{cls.kind} of version {version} is unknown here (we have {cls.version})")

    def data(self) -> dict[str, Any]:
        """The fields as JSON types."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


K = TypeVar("K", bound=Known)


def revive(base: type[K], kind: str, version: int, data: dict[str, Any]) -> K:
    """A stored record as its class again; Refused if nobody here knows it or it does not fit."""
    cls = _classes.get(kind)
    if cls is None or not issubclass(cls, base):
        raise Refused(f"nothing here knows {kind!r}")
    try:
        fresh = data if version == cls.version else cls.upgrade(data, version)
        return msgspec.convert(fresh, cls)
    except msgspec.ValidationError as error:
        raise Refused(f"the stored {kind} cannot be read: {error}") from None


def known(base: type[K]) -> list[type[K]]:
    """The classes of this process that are operations, or steps."""
    return [cls for cls in _classes.values() if issubclass(cls, base)]


def skills(base: type[Known]) -> set[str]:
    """What this process can revive, as `kind:version`: its own versions and those before them."""
    return {
        skill(cls.kind, version) for cls in known(base) for version in range(1, cls.version + 1)
    }


def skill(kind: str, version: int) -> str:
    """What a worker must know to do something of this kind and version."""
    return f"{kind}:{version}"


def kebab(name: str) -> str:
    """`CreateGear` as `create-gear`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
