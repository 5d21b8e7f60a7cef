"""The static cartridge, as it is shipped."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

import windlass
from windlass.model.cartridges import Cartridge, read_manifest
from windlass.model.gears import InstanceState
from windlass.nodes.local.node import LocalNode
from windlass.nodes.setting import NodeSetting

SITE = {
    "index.html": "<h1>first</h1>",
    "404.html": "lost",
    "docs/index.html": "docs",
    "app.js": "let a",
    "style.css": "b{}",
    "data.bin": "0123456789",
    ".env": "secret",
    ".git/config": "secret",
    ".well-known/security.txt": "open",
    "empty/only.txt": "x",
}


@pytest.fixture
def cartridge() -> Cartridge:
    folder = Path(windlass.__file__).parent / "cartridges" / "static"
    return read_manifest((folder / "manifest.toml").read_text(), folder)


@pytest.fixture
async def node(setting: NodeSetting, shared: Path) -> AsyncIterator[LocalNode]:
    shutil.copytree(shared, setting.data / "shared", copy_function=os.link)
    node = LocalNode("local:", setting)
    yield node
    await node.shutdown()
    await node.close()


async def client_of(bench, release: str) -> httpx.AsyncClient:
    instance = await bench.run(release)
    address = (await bench.until(instance, InstanceState.UP)).address
    return httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=60)


async def test_a_new_application_shows_what_to_do_next(bench):
    await bench.node.build(bench.gear, bench.cartridge, "r1", None, bench.lease())
    async with await client_of(bench, "r1") as client:
        page = await client.get("/")
    assert page.status_code == 200
    assert "windlass app deploy NAME DIR" in page.text


async def test_files_are_served_as_browsers_want_them(bench):
    async with await client_of(bench, await bench.build(**SITE)) as client:
        page = await client.get("/")
        assert (page.text, page.headers["content-type"]) == (
            SITE["index.html"],
            "text/html; charset=utf-8",
        )
        assert (await client.get("/app.js")).headers["content-type"].startswith("text/javascript")
        assert (await client.get("/style.css")).headers["content-type"].startswith("text/css")
        assert (await client.get("/docs/")).text == "docs"
        moved = await client.get("/docs")
        assert (moved.is_redirect, moved.headers["location"].endswith("/docs/")) == (True, True)
        head = await client.head("/data.bin")
        assert (head.status_code, head.headers["content-length"], head.text) == (200, "10", "")
        for name, value in (("etag", "if-none-match"), ("last-modified", "if-modified-since")):
            again = await client.get("/", headers={value: page.headers[name]})
            assert (again.status_code, again.text) == (304, "")
        part = await client.get("/data.bin", headers={"range": "bytes=2-4"})
        assert (part.status_code, part.text) == (206, "234")
        assert part.headers["content-range"] == "bytes 2-4/10"
        beyond = await client.get("/data.bin", headers={"range": "bytes=50-"})
        assert beyond.status_code == 416
        assert (await client.post("/")).status_code == 405


async def test_what_is_not_for_visitors_is_not_there(bench):
    release = await bench.build(**SITE)
    repo = bench.node.ground.home(bench.gear.id).release(release) / "repo"
    (repo / "passwd").symlink_to("/etc/passwd")
    (repo / "folder").symlink_to("/etc")
    async with await client_of(bench, release) as client:
        for path in (
            "/.env",
            "/.git/config",
            "/docs/../.env",
            "/%2e%65nv",
            "/..%2f..%2f..%2fetc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/passwd",
            "/folder/passwd",
            "/empty/",
            "/nowhere",
            "/%00",
            "/" + "a" * 5000,
        ):
            answer = await client.get(httpx.URL(path))
            assert (answer.status_code, answer.text) == (404, "lost"), path[:99]
        assert (await client.get("/.well-known/security.txt")).text == "open"


@pytest.mark.parametrize("folder", ["dist", "_site", "public"])
async def test_what_was_built_beats_what_it_was_built_from(bench, folder):
    files = {"index.html": "source", "secret.txt": "source", f"{folder}/index.html": "built"}
    async with await client_of(bench, await bench.build(**{**files})) as client:
        assert (await client.get("/")).text == "built"
        assert (await client.get("/secret.txt")).status_code == 404


async def test_it_answers_under_load_and_large_files_stream(bench):
    release = await bench.build(**SITE)
    large = bench.node.ground.home(bench.gear.id).release(release) / "repo" / "large.bin"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    async with await client_of(bench, release) as client:
        answers = await asyncio.gather(*(client.get("/app.js") for _ in range(300)))
        assert {one.text for one in answers} == {"let a"}
        length = 0
        async with client.stream("GET", "/large.bin") as answer:
            async for piece in answer.aiter_bytes():
                length += len(piece)
        assert length == 64 << 20
        memory = (await bench.node.observe(bench.gear.id)).memory
    assert memory is None or memory < 300 << 20
