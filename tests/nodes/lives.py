"""What an ordinary user's gears are put through, by a process of that user: see test_nobody.py."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from nodes.attacks import FORK_BOMB, HOARD, SPY
from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.model.cartridges import read_manifest
from windlass.model.gears import Gear, Instance, InstanceReport
from windlass.model.ids import AppId, GearId, InstanceId, ReleaseId
from windlass.nodes.local.node import LocalNode
from windlass.nodes.setting import NodeSetting

BY = Lease(WorkerId("w"), JobId(1), 1)
MINE, OTHER = (Gear(GearId(id), AppId("a1"), slot) for id, slot in (("g1", 1), ("g2", 2)))
RELEASE = ReleaseId("r1")
FILL = """
import os
for name in "ab":  # a single file may not be larger than the gear's size
    with open(os.environ["HOME"] + "/data/" + name, "wb", buffering=0) as file:
        for _ in range(600):
            file.write(b"x" * (1 << 20))
"""


class Life:
    """Two gears of an ordinary user, each with a program that may do what it likes."""

    def __init__(self, node: LocalNode, folder: Path) -> None:
        self.node, self.folder = node, folder
        self.little = read_manifest('name = "little"', folder / "little")

    async def run(self, gear: Gear, **files: str) -> Instance:
        """A gear with these files, served by start.sh if there is one."""
        await self.node.create(gear, BY)
        await self.node.install(gear, self.little, BY)
        await self.node.publish(gear, {"WORD": "word"}, BY)
        template = self.node.ground.home(gear.id).cartridge("little") / "template"
        template.mkdir(exist_ok=True)
        for name, text in files.items():
            (template / name.replace("_", ".")).write_text(text)
        await self.node.build(gear, self.little, RELEASE, None, BY)
        instance = Instance(InstanceId(f"i{gear.slot}"), RELEASE)
        await self.node.serve(gear, self.little, [instance], BY)
        return instance

    async def until(self, gear: Gear, fits: Callable[[InstanceReport], bool]) -> InstanceReport:
        async with asyncio.timeout(60):
            while True:
                report = (await self.node.observe(gear.id)).instances[0]
                if fits(report):
                    return report
                await asyncio.sleep(0.05)

    async def neighbour(self) -> None:
        """The other gear answers."""
        if not (await self.node.observe(OTHER.id)).present:
            await self.run(OTHER)
        await self.until(OTHER, lambda one: one.state == "up")

    async def simple(self) -> object:
        await self.run(MINE)
        await self.until(MINE, lambda one: one.state == "up")
        await self.node.create(OTHER, BY)
        await self.node.copy(OTHER, RELEASE, MINE.id, BY)
        report = await self.node.observe(OTHER.id)
        for gear in (MINE, OTHER):
            await self.node.remove(gear.id, BY)
        return [sorted(report.releases), sorted(await self.node.gears())]

    async def spy(self) -> object:
        await self.neighbour()
        home = self.node.ground.home(OTHER.id)
        paths = [home.folder, home.root, home.variables, self.folder]
        targets = {
            "paths": [str(one) for one in paths],
            "marks": ["http.server"],
            "pids": [int(one.name) for one in Path("/proc").glob("[0-9]*")],
        }
        nothing = {name: [] for name in ("addresses", "abstract", "places", "changes")}
        told = json.dumps({**nothing, **targets})
        await self.run(MINE, spy_py=SPY, targets_json=told, build_sh="exec python3 spy.py")
        await self.neighbour()
        log = self.node.ground.home(MINE.id).release(RELEASE) / "build.log"
        return json.loads(log.read_text().splitlines()[-1])

    async def bomb(self) -> object:
        await self.neighbour()
        await self.run(MINE, bomb_py=FORK_BOMB, start_sh="exec python3 bomb.py")
        most = 0
        for _ in range(60):
            most = max(most, processes("bomb.py"))
            await asyncio.sleep(0.05)
        await self.neighbour()
        return 100 < most <= MINE.size.processes

    async def hoard(self) -> object:
        await self.neighbour()
        await self.run(MINE, hoard_py=HOARD, start_sh="exec python3 hoard.py")
        report = await self.until(MINE, lambda one: one.restarts >= 1)
        await self.neighbour()
        return (report.why or "").splitlines()[0]

    async def fill(self) -> object:
        await self.neighbour()
        await self.run(MINE, fill_py=FILL, build_sh="python3 fill.py")
        await self.neighbour()
        return sorted(await self.node.over())


def processes(mark: str) -> int:
    """How many of our user's processes have this on their command line."""
    count = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            mine = path.stat().st_uid == os.getuid()
            count += mine and mark in (path / "cmdline").read_text()
        except OSError:
            continue  # it has just ended
    return count


async def live(scenario: str, folder: Path) -> None:
    node = LocalNode("local:", NodeSetting(folder / "data", folder / "run"))
    act: Callable[[], Awaitable[object]] = getattr(Life(node, folder), scenario)
    try:
        print(json.dumps(await act()))
    finally:
        await node.shutdown()
        await node.close()


def main() -> None:
    asyncio.run(live(sys.argv[1], Path(sys.argv[2])))
