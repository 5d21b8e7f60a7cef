"""Applications: made, shown, told what to do, deleted."""

from dataclasses import replace

import pytest

from api.site import Site, assert_problem
from windlass.app import LOCAL

APP = "/domains/demo/applications/blog"
FIELDS = {
    "id",
    "name",
    "domain",
    "cartridge",
    "state",
    "url",
    "api_url",
    "aliases",
    "created_at",
    "release",
    "gear_size",
    "gears",
    "scales_from",
    "scales_to",
    "health_path",
    "health_grace",
    "instances",
    "job",
}


async def test_an_application_lives(both: Site) -> None:
    job = await both.created()
    app = (await both.anna.get(APP)).json()
    assert set(app) == FIELDS
    assert app["state"] == "creating"
    assert app["job"] == job["url"]
    assert app["url"] == "http://blog-demo.localhost:8080"
    assert app["api_url"] == f"{both.url}/broker/rest{APP}"
    async with both.working():
        await both.ended(job["id"])
        app = (await both.anna.get(APP)).json()
        assert app["state"] == "started"
        assert app["job"] is None
        assert app["release"] == 1
        (instance,) = app["instances"]
        assert set(instance) == {"state", "address", "restarts", "why"}
        assert instance["state"] == "up"
        for event, state in (("stop", "stopped"), ("start", "started"), ("restart", "started")):
            answer = await both.anna.post(
                APP + "/events", json={"event": event}, headers={"Prefer": "wait=60"}
            )
            assert answer.json()["phase"] == "complete"
            assert (await both.anna.get(APP)).json()["state"] == state
        gone = await both.anna.delete(APP, headers={"Prefer": "wait=60"})
        assert gone.json()["phase"] == "complete"
        assert gone.json()["resource"] is None
        assert gone.json()["application"] == "blog"
    assert_problem(await both.anna.get(APP), 404)
    assert_problem(await both.anna.delete(APP), 404)


async def test_members_answer_in_the_singular(site: Site) -> None:
    await site.created()
    app = (await site.anna.get(APP)).json()
    for path in (f"/application/{app['id']}", "/domain/demo/application/blog"):
        assert (await site.anna.get(path)).json() == app
    jobs = (await site.anna.get(f"/application/{app['id']}/jobs")).json()["items"]
    assert [one["application"] for one in jobs] == ["blog"]
    stop = await site.anna.post(f"/application/{app['id']}/events", json={"event": "stop"})
    assert stop.status_code == 307
    assert (await site.anna.delete(f"/application/{app['id']}")).status_code == 307


async def test_one_whose_instances_have_all_crashed_shows_it(site: Site) -> None:
    async with site.working():
        await site.made()
    site.house.broker.nodes[LOCAL].plant("observe", "*", "crashed", None)  # type: ignore[attr-defined]
    app = (await site.anna.get(APP)).json()
    assert app["state"] == "crashed"
    assert app["instances"][0]["state"] == "crashed"
    (listed,) = (await site.anna.get("/applications")).json()["items"]
    assert listed["state"] == "started"


async def test_a_node_that_does_not_answer_costs_only_its_instances(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.working():
        await site.made()
    monkeypatch.setattr("windlass.api.looking.PATIENCE", 0.01)
    site.gate("observe")
    app = (await site.anna.get(APP)).json()
    assert app["state"] == "started"
    assert app["instances"] == []


async def test_a_second_delete_gets_the_first_ones_job(both: Site) -> None:
    async with both.working():
        await both.made()
    first = await both.anna.delete(APP)
    assert first.status_code == 307
    assert (await both.anna.delete(APP)).text == first.text


async def test_nothing_new_begins_on_what_is_leaving(site: Site) -> None:
    async with site.working():
        await site.made()
        gate = site.gate("remove")
        delete = (await site.anna.delete(APP, headers={"Prefer": "respond-async"})).json()
        await gate.wait()
        refused = await site.anna.post(APP + "/events", json={"event": "stop"})
        assert assert_problem(refused, 409)["job"] == delete["url"]
        assert (await site.anna.get(APP)).json()["state"] == "deleting"
        upload = await site.anna.post(APP + "/releases", content=b"x")
        assert assert_problem(upload, 409)["job"] == delete["url"]
        gate.open()
        await site.ended(delete["id"])


BODIES = [
    ({"name": "UP", "cartridge": "python"}, "name", 105),
    ({"name": "x" * 33, "cartridge": "python"}, "name", 105),
    ({"name": "", "cartridge": "python"}, "name", 105),
    ({"name": "a-b", "cartridge": "python"}, "name", 105),
    ({"name": "blog", "cartridge": "cobol"}, "cartridge", 109),
    ({"name": "blog", "cartridge": "../python"}, "cartridge", 109),
    ({"name": "blog"}, "cartridge", None),
    ({"name": "blog", "cartridge": 1}, "cartridge", None),
    ({"name": "blog", "cartridge": "python", "scale": True}, "scale", None),
]


async def test_what_cannot_be_accepted_makes_no_job(site: Site) -> None:
    for body, field, code in BODIES:
        refused = await site.anna.post("/domains/demo/applications", json=body)
        assert assert_problem(refused, 422, field).get("exit_code") == code
        assert await site.count_jobs() == 0
        assert (await site.anna.get("/applications")).json()["items"] == []


async def test_a_name_is_taken_once(both: Site) -> None:
    await both.created()
    assert_problem(await both.create(), 422, "name")
    assert await both.count_jobs() == 1


async def test_gears_are_limited(site: Site) -> None:
    await site.bob.post("/domains", json={"name": "bobs"})
    for name, status in (("one", 307), ("two", 307), ("three", 422)):
        body = {"name": name, "cartridge": "python"}
        answer = await site.bob.post("/domains/bobs/applications", json=body)
        assert answer.status_code == status, answer.text
    assert (await site.bob.get("/user")).json()["used"] == {"domains": 1, "gears": 2, "storage": 2}


async def test_an_operator_makes_it_for_the_owner(site: Site) -> None:
    body = {"name": "blog", "cartridge": "python"}
    headers = {"Prefer": "respond-async"}
    answer = await site.root.post("/domains/demo/applications", json=body, headers=headers)
    job = answer.json()
    assert job["owner"] == "anna"
    assert job["asked"]["by"] == "root"
    assert (await site.anna.get("/user")).json()["used"]["gears"] == 1
    assert (await site.anna.get(f"/jobs/{job['id']}")).is_success


async def test_what_is_not_yours_is_not_there(site: Site) -> None:
    await site.created()
    id = (await site.anna.get(APP)).json()["id"]
    body = {"name": "mine", "cartridge": "python"}
    archive = {"Content-Type": "application/octet-stream"}
    for there in (APP, f"/application/{id}", "/domains/demo/applications/nope"):
        for answer in (
            await site.bob.get(there),
            await site.bob.delete(there),
            await site.bob.post(there + "/events", json={"event": "stop"}),
            await site.bob.get(there + "/releases"),
            await site.bob.post(there + "/releases", content=b"x", headers=archive),
        ):
            assert_problem(answer, 404)
    assert_problem(await site.bob.get(APP + "/jobs"), 404)
    assert (await site.bob.get(f"/application/{id}/jobs")).json()["items"] == []
    assert_problem(await site.bob.get("/domains/demo/applications"), 404)
    assert_problem(await site.bob.post("/domains/demo/applications", json=body), 404)
    assert (await site.bob.get("/applications")).json()["items"] == []
    assert await site.count_jobs() == 1


NAMES_THAT_NOTHING_CAN_HAVE = ["%00", "a%2Fb", "%C3%A4", "x" * 2000, "UP"]


async def test_names_that_nothing_can_have(both: Site) -> None:
    for name in NAMES_THAT_NOTHING_CAN_HAVE:
        assert_problem(await both.anna.get(f"/domains/demo/applications/{name}"), 404)
        assert_problem(await both.anna.get(f"/application/{name}"), 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [({"event": "explode"}, "event"), ({}, "event"), ({"event": 1}, "event"), ({"x": 1}, "x")],
)
async def test_events_that_there_are_not(site: Site, body: dict[str, object], field: str) -> None:
    await site.created()
    assert_problem(await site.anna.post(APP + "/events", json=body), 422, field)
    assert await site.count_jobs() == 1


async def test_pages_of_applications(both: Site) -> None:
    await both.anna.post("/domains", json={"name": "another"})
    for domain, name in (("demo", "b"), ("another", "z"), ("demo", "a"), ("another", "c")):
        body = {"name": name, "cartridge": "python"}
        await both.anna.post(f"/domains/{domain}/applications", json=body)
    found, url = [], "/applications?limit=1"
    while url:
        page = (await both.anna.get(url)).json()
        found += [(one["domain"], one["name"]) for one in page["items"]]
        url = page["next"]
    assert found == [("another", "c"), ("another", "z"), ("demo", "a"), ("demo", "b")]
    items = (await both.anna.get("/domains/demo/applications")).json()["items"]
    assert [one["name"] for one in items] == ["a", "b"]
    assert all(set(one) == FIELDS for one in items)
    assert all(one["job"] for one in items)


async def test_what_is_said_of_running_instances_is_the_jobs_result(both: Site) -> None:
    wait = {"Prefer": "wait=60"}
    async with both.working():
        await both.ended((await both.created())["id"])
        for event, part in (
            ("reload", "reload of"),
            ("thread-dump", "thread-dump of"),
            ("tidy", "0 bytes freed"),
        ):
            answer = await both.anna.post(APP + "/events", json={"event": event}, headers=wait)
            assert answer.json()["phase"] == "complete"
            assert part in answer.json()["result"]
        stop = await both.anna.post(APP + "/events", json={"event": "force-stop"}, headers=wait)
        assert (stop.json()["phase"], stop.json()["result"]) == ("complete", None)
        app = (await both.anna.get(APP)).json()
        assert (app["state"], app["instances"]) == ("stopped", [])
        for event in ("reload", "thread-dump"):
            refused = await both.anna.post(APP + "/events", json={"event": event})
            assert_problem(refused, 409)
            assert "windlass app start blog" in refused.json()["detail"]


async def test_what_a_cartridge_does_not_know_is_refused_at_the_door(site: Site) -> None:
    catalog = site.front.broker.catalog
    python = catalog.get("python")
    catalog.cartridges["python"] = replace(python, signals={})
    await site.created()
    refused = await site.anna.post(APP + "/events", json={"event": "thread-dump"})
    assert_problem(refused, 422)
    assert refused.json()["exit_code"] == 180


async def test_a_health_check_is_configured_in_parts_and_given_back(both: Site) -> None:
    wait = {"Prefer": "wait=60"}
    async with both.working():
        await both.ended((await both.created())["id"])
        for wish, path, grace in (
            ({"health_path": "/healthz"}, "/healthz", None),
            ({"health_grace": 90}, "/healthz", 90),
            ({"health_path": None}, None, 90),
        ):
            answer = await both.anna.put(APP, json=wish, headers=wait)
            assert answer.json()["phase"] == "complete"
            app = (await both.anna.get(APP)).json()
            assert (app["health_path"], app["health_grace"]) == (path, grace)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"health_path": "healthz"}, "health_path"),
        ({"health_path": "/a b"}, "health_path"),
        ({"health_path": "/a\r\nX: y"}, "health_path"),
        ({"health_path": "/" + "a" * 1024}, "health_path"),
        ({"health_grace": 0.5}, "health_grace"),
        ({"health_grace": 901}, "health_grace"),
        ({"health_grace": "long"}, "health_grace"),
        ({}, "health_path"),
    ],
)
async def test_health_checks_that_there_are_not(
    site: Site, body: dict[str, object], field: str
) -> None:
    await site.created()
    assert_problem(await site.anna.put(APP, json=body), 422, field)


async def test_who_does_not_answer_in_his_grace_fails_with_what_was_asked_and_said(
    site: Site,
) -> None:
    node = site.house.broker.nodes[LOCAL]
    async with site.working():
        await site.ended((await site.created())["id"])
        wish = {"health_path": "/healthz", "health_grace": 1}
        await site.anna.put(APP, json=wish, headers={"Prefer": "wait=60"})
        node.plant("observe", "*", "silent")
        event = {"event": "restart"}
        job = await site.anna.post(APP + "/events", json=event, headers={"Prefer": "wait=60"})
    error = job.json()["error"]["text"]
    assert "within 1 seconds: GET /healthz is not answered" in error
    assert "it was planted to be silent" in error
    assert job.json()["phase"] == "failed"
