import json

import pytest

SCALES = [
    (("3",), {"event": "scale-up", "to": 3}),
    (("--by", "2"), {"event": "scale-up", "by": 2}),
    (("--by=-1",), {"event": "scale-up", "by": -1}),
    (("--from", "2", "--to", "5"), {"scales_from": 2, "scales_to": 5}),
    (("--to", "-1"), {"scales_to": -1}),
]


@pytest.mark.parametrize(("words", "body"), SCALES)
def test_scale_asks_and_waits(windlass, peer, demo, words, body):
    ended = windlass("app", "scale", "hello", *words)
    assert ended.code == 0, ended.err
    assert peer.bodies == [body]
    method, path, _ = next(one for one in peer.requests if one[0] in ("POST", "PUT"))
    there = "/broker/rest/domains/demo/applications/hello"
    put = ("PUT", f"{there}/cartridges/static")
    assert (method, path) == (put if "event" not in body else ("POST", f"{there}/events"))
    assert "complete in" in ended.err


@pytest.mark.parametrize("words", [(), ("3", "--by", "1"), ("3", "--to", "5")])
def test_scale_wants_one_thing(windlass, peer, demo, words):
    ended = windlass("app", "scale", "hello", *words)
    assert ended.code == 2
    assert "→ windlass app scale hello 3" in ended.err
    assert not peer.bodies


def test_scale_without_waiting(windlass, peer, demo):
    ended = windlass("app", "scale", "hello", "3", "--no-wait", "-o", "name")
    assert (ended.code, ended.out) == (0, "41\n")


def test_a_size_is_chosen(windlass, peer, demo):
    assert windlass("app", "create", "blog", "static", "--size", "medium").code == 0
    assert peer.bodies == [{"name": "blog", "cartridge": "static", "gear_size": "medium"}]


def test_show_has_the_gears(windlass, peer, demo):
    up = {"state": "up", "address": "127.0.0.1:9001", "restarts": 0, "why": None}
    gear = {"id": "g1", "state": "started", "size": "small", "address": "10.0.0.1"}
    used = {"memory": {"used": 3 << 27, "most": 1 << 29}, "disk": {"used": None, "most": 1 << 30}}
    peer.gears.append({**gear, **used, "kills": 2, "instances": [up]})
    shown = windlass("app", "show", "hello").out
    assert "scales     1 to any number" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("g1")]
    seen = "g1 small started 10.0.0.1 75 % 2, for want of memory up"
    assert line.split() == seen.split()
    told = json.loads(windlass("app", "show", "hello", "-o", "json").out)
    assert told["gear_groups"][0]["gears"] == peer.gears
    assert windlass("app", "show", "hello", "-o", "name").out == "hello\n"


def test_whoami_counts_everything(windlass):
    shown = windlass("whoami").out
    assert "2 of any number" in shown
    assert "4 of 9 GiB" in shown
