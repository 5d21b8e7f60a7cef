"""Sizes, limits and scaling, as the API has them."""

from typing import Any

import pytest

from api.site import Site, assert_problem

APP = "/domains/demo/applications/blog"
CARTRIDGE = f"{APP}/cartridges/python"
WAIT = {"Prefer": "wait=60"}


async def event(site: Site, **body: Any) -> Any:
    answer = await site.anna.post(f"{APP}/events", json=body, headers=WAIT)
    assert answer.json()["phase"] == "complete", answer.text
    return answer.json()


async def test_an_application_scales(both: Site) -> None:
    async with both.working():
        await both.made()
        for body, gears in (
            ({"event": "scale-up"}, 2),
            ({"event": "scale-up", "by": 2}, 4),
            ({"event": "scale-down"}, 3),
            ({"event": "scale-up", "by": -1}, 2),
            ({"event": "scale-down", "by": -1}, 3),
            ({"event": "scale-down", "to": 5, "by": 1}, 5),
            ({"event": "scale-up", "to": 1}, 1),
        ):
            await event(both, **body)
            app = (await both.anna.get(APP)).json()
            assert (app["gears"], len(app["instances"])) == (gears, gears), body
            assert (await both.anna.get("/applications")).json()["items"][0]["gears"] == gears
            used = (await both.anna.get("/user")).json()["used"]
            assert used == {"domains": 1, "gears": gears, "storage": gears}


async def test_gears_are_shown_as_a_group(both: Site) -> None:
    async with both.working():
        await both.made()
        await event(both, event="scale-up")
    id = (await both.anna.get(APP)).json()["id"]
    (group,) = (await both.anna.get(f"{APP}/gear_groups")).json()["items"]
    gears = group.pop("gears")
    assert group == {
        "id": id,
        "name": "blog",
        "gear_profile": "small",
        "scales_from": 1,
        "scales_to": -1,
        "base_gear_storage": 1,
        "additional_gear_storage": 0,
        "cartridges": [{"name": "python", "display_name": "Python"}],
    }
    assert len({gear["id"] for gear in gears}) == 2
    for gear in gears:
        assert (gear["state"], gear["size"], gear["address"]) == ("started", "small", "127.0.0.1")
        assert (gear["memory"]["most"], gear["disk"]["most"]) == (512 << 20, 1 << 30)
        assert [one["state"] for one in gear["instances"]] == ["up"]
    one = (await both.anna.get(f"/application/{id}/gear_group/{id}")).json()
    assert one == {**group, "gears": gears}
    assert (await both.anna.get(f"/application/{id}/gear-groups")).json()["items"] == [one]
    for missing in (f"{APP}/gear_group/other", "/domains/demo/applications/nope/gear_groups"):
        assert assert_problem(await both.anna.get(missing), 404)["exit_code"] == 101
    assert_problem(await both.bob.get(f"{APP}/gear_groups"), 404)


async def test_bounds_are_set_and_kept_to(both: Site) -> None:
    async with both.working():
        await both.made()
        answer = await both.anna.put(CARTRIDGE, json={"scales_from": 2}, headers=WAIT)
        assert answer.json()["phase"] == "complete"
        answer = await both.anna.put(CARTRIDGE, json={"scales_to": 3}, headers=WAIT)
        assert answer.json()["title"] == "Bound application blog in demo to 2 to 3 gears"
        shown = (await both.anna.get(CARTRIDGE)).json()
        assert shown == {
            "name": "python",
            "gear_profile": "small",
            "scales_from": 2,
            "scales_to": 3,
            "current_scale": 2,
        }
        assert (await both.anna.get(f"{APP}/cartridges")).json()["items"] == [shown]
        for body, field in (({"by": -1}, "by"), ({"to": 4}, "to")):
            refused = await both.anna.post(f"{APP}/events", json={"event": "scale-up", **body})
            assert assert_problem(refused, 422, field)["exit_code"] == 168
    missing = assert_problem(await both.anna.put(f"{APP}/cartridges/php", json={}), 404)
    assert missing["exit_code"] == 129


BOUNDS: list[tuple[dict[str, Any], str, int | None]] = [
    ({}, "scales_from", 168),
    ({"scales_from": 0}, "scales_from", 168),
    ({"scales_from": 101}, "scales_from", 168),
    ({"scales_to": 0}, "scales_to", 168),
    ({"scales_to": -2}, "scales_to", 168),
    ({"scales_from": 3, "scales_to": 2}, "scales_to", 168),
    ({"scales_to": "3"}, "scales_to", None),
    ({"scales_to": 1.5}, "scales_to", None),
    ({"scales": 3}, "scales", None),
]
EVENTS: list[tuple[dict[str, Any], str, int | None]] = [
    ({"event": "scale-up", "by": 0}, "by", 168),
    ({"event": "scale-up", "to": 0}, "to", 168),
    ({"event": "scale-down"}, "by", 168),
    ({"event": "scale-up", "to": 101}, "to", 168),
    ({"event": "scale-up", "by": "x"}, "by", None),
    ({"event": "stop", "by": 1}, "by", None),
    ({"event": "start", "to": 1}, "to", None),
    ({"event": "scale-sideways"}, "event", 126),
]


async def test_what_cannot_be_makes_no_job(site: Site) -> None:
    await site.created()
    for body, field, code in BOUNDS:
        refused = assert_problem(await site.anna.put(CARTRIDGE, json=body), 422, field)
        assert refused.get("exit_code") == code, body
    for body, field, code in EVENTS:
        answer = await site.anna.post(f"{APP}/events", json=body)
        assert assert_problem(answer, 422, field).get("exit_code") == code, body
    for body in ({"event": "scale-up", "by": 10**30}, {"event": "scale-up", "to": -(10**30)}):
        assert (await site.anna.post(f"{APP}/events", json=body)).status_code == 422
    assert await site.count_jobs() == 1


async def test_limits_are_told_with_the_numbers(both: Site) -> None:
    await both.created()
    await both.house.broker.store.accounts.limit("anna", {"most_gears": 3, "most_storage": 2})
    limits = (await both.anna.get("/user")).json()["limits"]
    assert limits == {"domains": 10, "gears": 3, "storage": 2}
    answer = await both.anna.post(f"{APP}/events", json={"event": "scale-up", "to": 4})
    refused = assert_problem(answer, 422)
    assert refused["exit_code"] == 104
    assert refused["detail"] == "1 of 3 gears are used, and this would take 3 more"
    answer = await both.anna.post(f"{APP}/events", json={"event": "scale-up", "to": 3})
    refused = assert_problem(answer, 422)
    assert refused["exit_code"] == 166
    assert refused["detail"] == "1 of 2 GiB of storage are used, and this would take 2 more"


@pytest.mark.parametrize(("size", "storage"), [("small", 1), ("medium", 2), ("large", 4)])
async def test_sizes(site: Site, size: str, storage: int) -> None:
    body = {"name": "blog", "cartridge": "python", "gear_size": size}
    assert (await site.anna.post("/domains/demo/applications", json=body)).status_code == 307
    assert (await site.anna.get(APP)).json()["gear_size"] == size
    assert (await site.anna.get("/user")).json()["used"]["storage"] == storage


@pytest.mark.parametrize("size", ["huge", "", "Small", None, 1])
async def test_sizes_that_there_are_not(site: Site, size: Any) -> None:
    body = {"name": "blog", "cartridge": "python", "gear_size": size}
    answer = await site.anna.post("/domains/demo/applications", json=body)
    assert_problem(answer, 422, "gear_size")
    assert await site.count_jobs() == 0
