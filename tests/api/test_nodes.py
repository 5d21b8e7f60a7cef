"""What the API tells of nodes."""

from api.site import Site, assert_problem
from windlass.app import LOCAL
from windlass.nodes.local.node import LocalNode
from windlass.nodes.setting import NodeSetting


async def test_a_node_tells_its_gears_and_sizes(site: Site) -> None:
    async with site.working():
        await site.made()
    listed = (await site.anna.get("/nodes")).json()["items"]
    [node] = listed
    assert (node["id"], node["gears"], node["isolation"]) == ("local", 1, {})
    assert node["sizes"]["small"]["memory"] == 512 << 20
    assert (await site.anna.get("/nodes/local")).json() == node
    assert node["url"] == f"{site.url}/broker/rest/nodes/local"


async def test_a_node_that_there_is_not(site: Site) -> None:
    assert_problem(await site.anna.get("/nodes/x"), 404)


async def test_nobody_hears_of_nodes(site: Site) -> None:
    assert_problem(await site.nobody.get("/nodes"), 401)


async def test_what_gears_share_is_said(site: Site, tmp_path) -> None:
    node = LocalNode("local:", NodeSetting(tmp_path, tmp_path, sandbox=False))
    site.house.broker.nodes[LOCAL] = node  # type: ignore[index]
    told = (await site.anna.get("/nodes/local")).json()["isolation"]
    assert told["network"]["kept"] == "shared"
    assert "loopback" in told["network"]["note"]
    assert told["disk"]["kept"] == "measured"
    await node.close()
