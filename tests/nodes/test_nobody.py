"""The local node as an ordinary user runs it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534
PYTHON = "/usr/bin/python3"  # ours may lie below a folder that nobody may enter
IMPORT = "import windlass.nodes.local.node"
LIFE = """
import asyncio, sys
from pathlib import Path
from windlass.engine.lease import Lease
from windlass.model.cartridges import read_manifest
from windlass.model.gears import Gear, Instance
from windlass.nodes.local.node import LocalNode
from windlass.nodes.setting import NodeSetting

async def live(folder):
    node = LocalNode("local:", NodeSetting(folder / "data", folder / "run"))
    gear, by = Gear("g1", "a1", 1), Lease("w", 1, 1)
    little = read_manifest('name = "little"', folder / "little")
    try:
        await node.create(gear, by)
        await node.install(gear, little, by)
        await node.publish(gear, {"WORD": "word"}, by)
        await node.build(gear, little, "r1", None, by)
        await node.serve(gear, little, [Instance("i1", "r1")], by)
        async with asyncio.timeout(60):
            while (await node.observe("g1")).instances[0].state != "up":
                await asyncio.sleep(0.05)
        await node.remove("g1", by)
        print("lived", await node.gears())
    finally:
        await node.shutdown()
        await node.close()

asyncio.run(live(Path(sys.argv[1])))
"""


def as_nobody(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(one for one in sys.path if one and not one.endswith(".zip"))
    return subprocess.run(
        [PYTHON, "-c", code, *args],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of nobody's, with a cartridge in it."""
    folder = Path(tempfile.mkdtemp(prefix="w"))
    (folder / "little" / "bin").mkdir(parents=True)
    build = "#!/bin/sh\nmkdir $HOME/locked && touch $HOME/locked/x && chmod 000 $HOME/locked\n"
    (folder / "little" / "bin" / "build").write_text(build)
    control = '#!/bin/sh\n[ $WORD ] && exec python3 -m http.server --bind "$HOST" "$PORT"\n'
    (folder / "little" / "bin" / "control").write_text(control)
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_an_ordinary_user_can_run_gears(folder):
    if as_nobody(IMPORT).returncode != 0:
        pytest.skip(f"{PYTHON} of an ordinary user cannot import windlass here")
    done = as_nobody(LIFE, str(folder))
    assert done.stdout == "lived set()\n", done.stderr
