"""The gears' network: which addresses, and what is left of it."""

import json
import os
import shutil
from pathlib import Path

import pytest

from windlass.errors import OverLimit, Refused
from windlass.nodes.local.network import (
    FORWARDING,
    INTERFACES,
    POOL,
    Network,
    bridges,
    orphans,
    others,
    parse,
    tables,
)
from windlass.nodes.local.tools import tool

ROOT = os.geteuid() == 0


def network(tmp_path: Path, subnet: str = "198.18.4.0/28") -> Network:
    (tmp_path / "network.json").write_text(json.dumps({"subnet": subnet}))
    return Network("abcdef", tmp_path / "network.json")


def test_a_slot_has_an_address_until_the_network_is_full(tmp_path) -> None:
    mine = network(tmp_path)
    assert mine.gateway == "198.18.4.1"
    assert [mine.address(slot) for slot in (0, 12)] == ["198.18.4.2", "198.18.4.14"]
    with pytest.raises(OverLimit, match="room for 13 gears"):
        mine.address(13)


def test_names_fit_into_what_the_kernel_takes(tmp_path) -> None:
    assert len(network(tmp_path).veth(9999)) <= 15


@pytest.mark.parametrize("text", ["x", "10.0.0.1/8", "10.0.0.0/30", "0.0.0.0/0", "fd00::/64"])
def test_what_is_no_network_for_gears_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="--gear-network"):
        parse(text)


@pytest.mark.skipif(not ROOT, reason="only root has networks")
def test_one_that_the_machine_has_already_is_refused_and_another_one_found(tmp_path) -> None:
    taken = next(one for one in others("none") if one.prefixlen > 8)
    with pytest.raises(Refused, match="overlaps"):
        Network("abcdef", tmp_path / "network.json", str(taken)).choose(None)
    found = Network("abcdef", tmp_path / "network.json").choose(None)
    assert found.subnet_of(POOL) and not any(one.overlaps(found) for one in others("none"))


def test_what_is_nobodys_is_no_slot_of_ours(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("windlass.nodes.local.network.NAMESPACES", tmp_path)
    for name in ("wlabcdef-7", "wlabcdef-x", "wlabcdef", "wl123456-8"):
        (tmp_path / name).touch()
    assert network(tmp_path).slots() == {7}


def test_gears_reach_the_world_by_uplinks_only(tmp_path) -> None:
    mine = network(tmp_path)
    assert 'oifname { "eth0", "wg0" } accept' in mine.rules(mine.subnet, ["eth0", "wg0"])
    nothing = mine.rules(mine.subnet, [])
    assert "accept\n        drop\n" not in nothing.partition("from_gears {")[2]


@pytest.mark.skipif(not ROOT, reason="only root has networks")
def test_an_uplink_stays_open_and_shielded_until_the_last_installation_is_gone(
    tmp_path, monkeypatch
) -> None:
    first, last = (Network(f"{os.getpid():05x}{n}"[-6:], tmp_path / f"{n}") for n in (1, 2))
    wire = f"wt{os.getpid()}u"
    forwarding = Path(FORWARDING.format(wire))
    # Other tests' installations are not to be among them.
    ours = {
        "OPENED": tmp_path / "opened",
        "SHIELD": f"windlass_test_{os.getpid()}",
        "uplinks": lambda: {wire},
        "bridges": lambda: [one for one in bridges() if one in (first.bridge, last.bridge)],
    }
    for name, value in ours.items():
        monkeypatch.setattr(f"windlass.nodes.local.network.{name}", value)
    tool("ip", "link", "add", wire, "type", "veth", "peer", "name", f"{wire}x")
    try:
        forwarding.write_text("0")
        first.ensure()
        assert forwarding.read_text() == "1\n"
        shield = tool("nft", "list", "table", "inet", str(ours["SHIELD"]))
        assert f'iifname "{wire}" oifgroup != 4027 drop' in shield
        last.ensure()
        tool("nft", "delete", "table", "inet", str(ours["SHIELD"]))  # somebody has flushed it
        last.ensure()
        assert ours["SHIELD"] in tables()
        first.strike()
        assert forwarding.read_text() == "1\n"
        assert ours["SHIELD"] in tables()
        last.strike()
        assert forwarding.read_text() == "0\n"
        assert ours["SHIELD"] not in tables()
    finally:
        first.strike()
        last.strike()
        tool("ip", "link", "del", wire)


@pytest.mark.skipif(not ROOT, reason="only root has networks")
def test_what_a_data_folder_that_is_gone_has_left_is_found(tmp_path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    mine = Network(f"{os.getpid():06x}"[-6:], folder / "network.json")
    mine.ensure()
    mine.add(3)
    assert mine.id not in [one.id for one in orphans()]
    shutil.rmtree(folder)
    [left] = [one for one in orphans() if one.id == mine.id]
    assert left == mine
    assert left.strike() == [
        f"namespace {mine.bridge}-3",
        f"bridge {mine.bridge}",
        f"rules {mine.table}",
    ]
    assert left.strike() == []
    assert not (INTERFACES / mine.bridge).exists()


@pytest.mark.skipif(not ROOT, reason="only root has networks")
def test_who_comes_into_a_slot_is_heard_where_another_was(tmp_path) -> None:
    """The machine remembers for a minute at which hardware address it has reached a slot."""
    (tmp_path / "mine").mkdir()
    mine = Network(f"{os.getpid():06x}"[-6:], tmp_path / "mine" / "network.json")
    mine.ensure()
    try:
        for slot in (0, 1):
            mine.add(slot)
        before = hardware_of(mine, 0)
        own = (INTERFACES / mine.bridge / "address").read_text().strip()
        mine.remove(0)
        mine.add(0)
        assert hardware_of(mine, 0) == before
        assert before != hardware_of(mine, 1)
        assert (INTERFACES / mine.bridge / "address").read_text().strip() == own
    finally:
        mine.strike()


def hardware_of(network: Network, slot: int) -> str:
    """The hardware address that a gear has."""
    space = network.namespace(slot).name
    [link] = json.loads(tool("ip", "-n", space, "-j", "link", "show", "eth0"))
    return str(link["address"])
