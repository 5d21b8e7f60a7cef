"""Actions on what really runs: reload, thread dump, kill, tidy."""

import asyncio
import time

import pytest

from windlass.errors import Refused
from windlass.model.cartridges import Action, read_manifest
from windlass.model.gears import InstanceState

DEAF = """
import http.server, os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(987)"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
address = os.environ["HOST"], int(os.environ["PORT"])
http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""


async def test_what_is_deaf_to_sigterm_is_killed_at_once_with_its_children(bench):
    release = await bench.build(deaf_py=DEAF, start_sh="exec python3 deaf.py\n")
    instance = await bench.run(release)
    await bench.until(instance, InstanceState.UP)
    assert bench.processes("time.sleep(987)")
    since = time.monotonic()
    await bench.node.control(bench.gear, bench.cartridge, Action.KILL, bench.lease())
    await bench.node.serve(bench.gear, bench.cartridge, [], bench.lease())
    assert time.monotonic() - since < 5, "sooner than SIGTERM and its patience"
    assert bench.processes("time.sleep(987)") == bench.processes("deaf.py") == []
    assert (await bench.node.observe(bench.gear.id)).instances == ()


async def test_who_has_no_handler_is_not_signalled(bench):
    manifest = 'name = "little"\n[actions]\nreload = "HUP"\n'
    hangs_up = read_manifest(manifest, bench.cartridge.folder)
    instance = await bench.run(await bench.build(index_html="x"))
    before = await bench.until(instance, InstanceState.UP)
    with pytest.raises(Refused, match="nothing runs here that listens to reload"):
        await bench.node.control(bench.gear, hangs_up, Action.RELOAD, bench.lease())
    await asyncio.sleep(0.3)
    assert await bench.seen(instance) == before


async def test_caches_and_old_logs_go_and_what_is_written_to_stays(bench):
    instance = await bench.run(await bench.build(index_html="x"))
    await bench.until(instance, InstanceState.UP)
    home = bench.node.ground.home(bench.gear.id)
    (home.root / ".cache" / "pip").mkdir(parents=True)
    (home.root / ".cache" / "pip" / "wheel").write_bytes(b"x" * 100_000)
    (elsewhere := home.root / "data" / "kept").write_text("mine")
    (home.root / ".cache" / "link").symlink_to(elsewhere)
    old = [home.logs / "igone.log", home.logs / f"{home.log(instance.id).name}.1"]
    for path in old:
        path.write_bytes(b"y" * 50_000)
    freed = await bench.node.control(bench.gear, bench.cartridge, Action.TIDY, bench.lease())
    assert 200_000 <= int(freed) < 300_000
    assert not (home.root / ".cache").exists()
    assert not any(path.exists() for path in old)
    assert home.log(instance.id).exists()
    assert elsewhere.read_text() == "mine"


async def test_a_cache_that_is_a_link_is_not_followed(bench, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("k")
    home = bench.node.ground.home(bench.gear.id)
    (home.root / ".cache").symlink_to(tmp_path / "secret")
    await bench.node.control(bench.gear, bench.cartridge, Action.TIDY, bench.lease())
    assert (tmp_path / "secret" / "key").read_text() == "k"
    assert not (home.root / ".cache").is_symlink()
