"""A local node with a cartridge that does what the source says."""

import asyncio
import io
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from windlass.engine.lease import JobId, Lease, WorkerId
from windlass.errors import Transient
from windlass.model.cartridges import Cartridge, read_manifest
from windlass.model.gears import Gear, Instance, InstanceReport, InstanceState
from windlass.model.ids import ReleaseId, app_id, gear_id, instance_id, release_id
from windlass.nodes.local.node import LocalNode
from windlass.nodes.setting import NodeSetting

DEADLINE = 60.0
BUILD = "#!/bin/sh\n[ ! -f build.sh ] || exec sh build.sh\n"
CONTROL = (
    "#!/bin/sh\n[ ! -f start.sh ] || exec sh start.sh\n"
    'exec python3 -m http.server --bind "$HOST" "$PORT"\n'
)


@pytest.fixture
def short() -> Iterator[Path]:
    """A run folder with a path that sockets can have."""
    run = Path(tempfile.mkdtemp(prefix="w"))
    yield run
    shutil.rmtree(run, ignore_errors=True)


@pytest.fixture
def setting(tmp_path, short) -> NodeSetting:
    return NodeSetting(tmp_path / "data", short)


@pytest.fixture
async def node(setting) -> AsyncIterator[LocalNode]:
    node = LocalNode("local:", setting)
    yield node
    await node.shutdown()
    await node.close()


@pytest.fixture
def cartridge(tmp_path) -> Cartridge:
    """Runs the source's build.sh and start.sh, or serves its files."""
    folder = tmp_path / "little"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "build").write_text(BUILD)
    (folder / "bin" / "control").write_text(CONTROL)
    return read_manifest('name = "little"', folder)


@pytest.fixture
def pack(tmp_path) -> Callable[..., Path]:
    """A source archive of these files."""

    def pack(**files: str) -> Path:
        path = tmp_path / f"{release_id()}.tar"
        with tarfile.open(path, "w") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(name if "." in name else name.replace("_", "."))
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        return path

    return pack


class Bench:
    """A gear to try things with."""

    def __init__(self, node: LocalNode, cartridge: Cartridge, pack: Callable[..., Path]) -> None:
        self.node, self.cartridge, self.pack = node, cartridge, pack
        self.gear = Gear(gear_id(), app_id(), slot=5)

    def lease(self, number: int = 1) -> Lease:
        return Lease(WorkerId("w"), JobId(1), number)

    async def make(self) -> None:
        await self.node.create(self.gear, self.lease())
        await self.node.install(self.gear, self.cartridge, self.lease())

    async def build(self, number: int = 1, **files: str) -> ReleaseId:
        release = release_id()
        source = self.pack(**files)
        await self.node.build(self.gear, self.cartridge, release, source, self.lease(number))
        return release

    async def run(self, release: ReleaseId) -> Instance:
        instance = Instance(instance_id(), release)
        await self.node.serve(self.gear, self.cartridge, [instance], self.lease())
        return instance

    async def seen(self, instance: Instance) -> InstanceReport:
        report = (await self.node.observe(self.gear.id)).instance(instance.id)
        assert report is not None
        return report

    async def until(
        self, instance: Instance, state: InstanceState, restarts: int = 0
    ) -> InstanceReport:
        async with asyncio.timeout(DEADLINE):
            while True:
                report = await self.seen(instance)
                if report.state == state and report.restarts >= restarts:
                    return report
                await asyncio.sleep(0.05)

    def processes(self, mark: str) -> list[int]:
        """The processes with this on their command line."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mark.encode() in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:
                continue  # it has just ended
        return found

    async def wait_for(self, mark: str, there: bool) -> list[int]:
        async with asyncio.timeout(DEADLINE):
            while bool(found := self.processes(mark)) != there:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found


@pytest.fixture
def bench_of() -> type[Bench]:
    return Bench


@pytest.fixture
async def bench(node, cartridge, pack) -> Bench:
    bench = Bench(node, cartridge, pack)
    await bench.make()
    return bench


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all gears share, fetched once for all tests."""
    data = tmp_path_factory.mktemp("prepared")
    try:
        asyncio.run(prepare(NodeSetting(data, data)))
    except Transient as error:
        pytest.skip(f"no package index: {error}")
    return data / "shared"


async def prepare(setting: NodeSetting) -> None:
    node = LocalNode("local:", setting)
    try:
        await asyncio.gather(node.prepare(), node.prepare())
    finally:
        await node.close()
