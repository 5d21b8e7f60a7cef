"""`file:/FOLDER` a pretended node in a folder, which outlives its workers."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from windlass.errors import Refused
from windlass.nodes.pretend import Effect, PretendNode, State, empty
from windlass.nodes.setting import NodeSetting


class FileStore:
    """The state in one file, replaced as a whole; effects are appended to another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def change(self) -> Iterator[State]:
        """See Store."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self.read()
            before = json.dumps(state)
            try:
                yield state
            finally:
                if json.dumps(state) != before:
                    self.write(state)

    def read(self) -> State:
        """What was last written."""
        try:
            state: State = json.loads((self.folder / "state.json").read_text())
        except FileNotFoundError:
            return empty()
        return state

    def write(self, state: State) -> None:
        """Replace the state; a crash leaves the old one or the new one."""
        fresh = self.folder / "state.new"
        fresh.write_text(json.dumps(state, indent=1))
        fresh.replace(self.folder / "state.json")

    def tell(self, effect: Effect) -> None:
        """See Store; one write of one line, so that a crash leaves no half of it."""
        line = json.dumps(asdict(effect)).encode() + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = os.open(self.folder / "effects", flags, 0o644)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def effects(self) -> list[Effect]:
        """See Store."""
        try:
            lines = (self.folder / "effects").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [Effect(**json.loads(line)) for line in lines]


class FileNode(PretendNode):
    """A node in a folder, shared by every process that is given the folder."""

    def __init__(self, url: str, setting: NodeSetting) -> None:
        folder = urlsplit(url).path
        if not folder:
            raise Refused("the node file: wants a folder, as in file:/var/tmp/node")
        super().__init__(FileStore(Path(folder)))
