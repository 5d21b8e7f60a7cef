"""`memory:` a pretended node that dies with its process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from windlass.nodes.pretend import Effect, PretendNode, State, empty
from windlass.nodes.setting import NodeSetting


class MemoryStore:
    """The state in a dict."""

    def __init__(self) -> None:
        self.state = empty()
        self.told: list[Effect] = []
        self.lock = threading.Lock()

    @contextmanager
    def change(self) -> Iterator[State]:
        """See Store."""
        with self.lock:
            yield self.state

    def tell(self, effect: Effect) -> None:
        """See Store."""
        self.told.append(effect)

    def effects(self) -> list[Effect]:
        """See Store."""
        return list(self.told)


class MemoryNode(PretendNode):
    """A node in the memory of this process."""

    def __init__(self, url: str, setting: NodeSetting) -> None:
        super().__init__(MemoryStore())
