"""A URL's scheme finds the backend, among what is installed (entry points)."""

from importlib.metadata import entry_points
from typing import Any

from windlass.errors import Refused


def backend(group: str, url: str) -> Any:
    """The class that serves `url`, found by its scheme in the entry points of `group`.

    Raises Refused with the list of schemes there are.
    """
    scheme = url.partition(":")[0]
    known = {point.name: point for point in entry_points(group=group)}
    if scheme not in known:
        raise Refused(f"nothing here speaks {scheme!r}; there is {', '.join(sorted(known))}")
    return known[scheme].load()
