"""The python cartridge, as it is shipped."""

import asyncio
import io
import os
import shutil
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import windlass
from windlass.errors import Refused
from windlass.model.cartridges import Action, Cartridge, read_manifest
from windlass.model.gears import InstanceState
from windlass.nodes.local.node import LocalNode
from windlass.nodes.local.shared import uv_environment
from windlass.nodes.setting import NodeSetting

EXAMPLES = Path(__file__).parents[2] / "examples" / "apps"
ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi answers"})
"""
SLOW = """
import os, time
DATA = os.environ["OPENSHIFT_DATA_DIR"]

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/slow":
        open(DATA + "begun", "w").close()
        while not os.path.exists(DATA + "finish"):
            time.sleep(0.02)
    return [b"finished"]
"""


@pytest.fixture
def cartridge() -> Cartridge:
    folder = Path(windlass.__file__).parent / "cartridges" / "python"
    return read_manifest((folder / "manifest.toml").read_text(), folder)


@pytest.fixture
async def node(setting: NodeSetting, shared: Path) -> AsyncIterator[LocalNode]:
    shutil.copytree(shared, setting.data / "shared", copy_function=os.link)
    node = LocalNode("local:", setting)
    yield node
    await node.shutdown()
    await node.close()


async def get(address: str, path: str = "/") -> str:
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.decode()


async def test_a_new_application_shows_what_to_do_next_and_needs_no_network(bench, monkeypatch):
    await bench.node.publish(bench.gear, {"OPENSHIFT_APP_NAME": "<blog>"}, bench.lease())
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there
    await bench.node.prepare()
    await bench.node.build(bench.gear, bench.cartridge, "r1", None, bench.lease())
    instance = await bench.run("r1")
    page = await get((await bench.until(instance, InstanceState.UP)).address)
    assert "windlass app deploy &lt;blog&gt; DIR" in page
    assert "<blog>" not in page


async def test_an_asynchronous_application_is_told_by_its_kind(bench):
    instance = await bench.run(await bench.build(app_py=ASGI))
    address = (await bench.until(instance, InstanceState.UP)).address
    assert "asgi answers" in await get(address)


async def test_a_project_of_django_is_found_by_its_wsgi_module(bench):
    wsgi = "from shop import settings\ndef application(environ, start):\n"
    wsgi += "    start('200 OK', [])\n    return [settings.WORD]\n"
    source = {"manage.py": "", "shop/settings.py": "WORD = b'django'\n", "shop/wsgi.py": wsgi}
    instance = await bench.run(await bench.build(**source))
    address = (await bench.until(instance, InstanceState.UP)).address
    assert (await get(address)).endswith("django")


async def test_a_pyproject_without_a_project_asks_for_nothing(bench):
    release = await bench.build(pyproject_toml="[tool.ruff]\nline-length = 100\n", app_py=ASGI)
    dependencies = bench.node.ground.home(bench.gear.id).release(release) / "dependencies"
    assert list(dependencies.iterdir()) == []


async def test_a_source_without_an_application_says_what_it_looked_for(bench):
    instance = await bench.run(await bench.build(readme_txt="x"))
    report = await bench.until(instance, InstanceState.CRASHED)
    assert "There is no application here" in report.why


async def test_an_application_that_cannot_be_imported_shows_its_traceback(bench):
    instance = await bench.run(await bench.build(app_py="import nowhere_to_be_found\n"))
    report = await bench.until(instance, InstanceState.CRASHED)
    assert "nowhere_to_be_found" in report.why


async def test_a_request_in_flight_is_answered_before_the_stop(bench):
    instance = await bench.run(await bench.build(wsgi_py=SLOW))
    address = (await bench.until(instance, InstanceState.UP)).address
    home = bench.node.ground.home(bench.gear.id)
    answer = asyncio.create_task(get(address, "/slow"))
    await there(home.root / "data" / "begun", "")
    stop = bench.node.serve(bench.gear, bench.cartridge, [], bench.lease())
    stopping = asyncio.create_task(stop)
    await there(home.log(instance.id), "Handling signal: term")
    (home.root / "data" / "finish").touch()
    assert (await answer).endswith("finished")
    await stopping


async def there(path: Path, text: str) -> None:
    async with asyncio.timeout(60):
        while not path.exists() or text not in path.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_flask_example_is_built_with_its_requirements(bench, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(EXAMPLES / "flask", ".")
    (source := tmp_path / "flask.tgz").write_bytes(packed.getvalue())
    await bench.node.build(bench.gear, bench.cartridge, "r1", source, bench.lease())
    instance = await bench.run("r1")
    address = (await bench.until(instance, InstanceState.UP)).address
    assert "Hello from Flask, release r1" in await get(address)


async def test_a_requirement_that_does_not_exist_is_named(bench):
    with pytest.raises(Refused, match="windlass-does-not-exist"):
        await bench.build(requirements_txt="windlass-does-not-exist==9\n", app_py="")


async def test_builds_ask_the_operators_index(bench, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody is there
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Refused, match=r"127\.0\.0\.1:9/simple"):
        await bench.build(requirements_txt="windlass-does-not-exist==9\n", app_py="")


def test_uv_understands_pips_names_for_indexes_unless_it_is_told_by_its_own():
    assert uv_environment({"PIP_INDEX_URL": "a"})["UV_DEFAULT_INDEX"] == "a"
    told = uv_environment({"PIP_INDEX_URL": "a", "UV_DEFAULT_INDEX": "b"})
    assert told["UV_DEFAULT_INDEX"] == "b"
    assert "UV_DEFAULT_INDEX" not in uv_environment({"PIP_INDEX_URL": "a", "UV_INDEX_URL": "b"})


WORKING = """
import os, threading

def idle_in_the_background():
    threading.Event().wait()

threading.Thread(target=idle_in_the_background, daemon=True).start()

def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


async def test_a_thread_dump_tells_of_every_thread_of_every_worker(bench):
    await bench.node.publish(bench.gear, {"WEB_CONCURRENCY": "2"}, bench.lease())
    instance = await bench.run(await bench.build(wsgi_py=WORKING))
    before = await bench.until(instance, InstanceState.UP)
    await get(before.address)
    ask = (bench.gear, bench.cartridge, Action.THREAD_DUMP, bench.lease())
    async with asyncio.timeout(30):  # its second worker may still be on its way
        while (told := await bench.node.control(*ask)).count("idle_in_the_background") != 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert "Current thread" in told
    assert (await bench.seen(instance)).restarts == 0
    assert "GET" not in told


async def test_a_reload_brings_new_workers_and_the_same_instance(bench):
    instance = await bench.run(await bench.build(wsgi_py=WORKING))
    before = await bench.until(instance, InstanceState.UP)
    worker = await get(before.address)
    await bench.node.control(bench.gear, bench.cartridge, Action.RELOAD, bench.lease())
    async with asyncio.timeout(30):
        while await get(before.address) == worker:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await bench.seen(instance) == before


async def test_an_asynchronous_application_dumps_its_threads_and_refuses_a_reload(bench):
    instance = await bench.run(await bench.build(app_py=ASGI))
    await bench.until(instance, InstanceState.UP)
    ask = (bench.gear, bench.cartridge, Action.THREAD_DUMP, bench.lease())
    assert "uvicorn" in await bench.node.control(*ask)
    with pytest.raises(Refused, match="listens to reload"):
        await bench.node.control(bench.gear, bench.cartridge, Action.RELOAD, bench.lease())
    assert (await bench.seen(instance)).restarts == 0
