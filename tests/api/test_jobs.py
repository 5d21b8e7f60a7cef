"""Jobs: listed, shown, waited for, cancelled, tried again, helped along."""

import asyncio
from dataclasses import replace

import pytest

from api.site import Json, Site, archive, assert_problem
from windlass.app import LOCAL
from windlass.engine.hooks import Hooks
from windlass.engine.job import Request
from windlass.errors import Refused

FIELDS = {
    "status", "percent_complete", "id", "url", "operation", "title", "phase", "direction",
    "domain", "application", "steps", "waiting_for", "error", "result", "resource",
    "cancel_asked", "retry_of", "retried_by", "owner", "asked", "created_at", "started_at",
    "ended_at", "due_at", "retry_after",
}  # fmt: skip
STEP = {
    "number", "stage", "kind", "title", "state", "tries", "one_way", "begun_at", "ended_at",
    "seconds", "error", "due_at",
}  # fmt: skip


async def test_a_job_tells_everything(both: Site) -> None:
    queued = await both.created()
    assert set(queued) == FIELDS
    assert queued["percent_complete"] is None
    assert queued["retry_after"] == 1
    async with both.working():
        job = await both.ended(queued["id"])
    assert set(job) == FIELDS
    assert job["operation"] == "create-application"
    assert job["title"] == "Create application blog in demo"
    assert job["resource"] == f"{both.url}/broker/rest/domains/demo/applications/blog"
    assert job["owner"] == "anna"
    assert job["steps"]
    assert [step["number"] for step in job["steps"]] == list(range(len(job["steps"])))
    for step in job["steps"]:
        assert set(step) == STEP
        assert step["state"] == "done"
        assert step["seconds"] >= 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
async def test_whatever_the_method_nothing_happens(site: Site, method: str) -> None:
    job = await site.created()
    for path in (f"/jobs/{job['id']}", f"/job/{job['id']}"):
        answer = await site.anna.request(method, path, content=b"nonsense")
        assert answer.status_code == 200
        assert answer.json() == job
    head = await site.anna.head(f"/jobs/{job['id']}")
    assert (head.status_code, head.content) == (200, b"")


JOBS_THAT_THERE_ARE_NOT = ["0", "999999", "9" * 17, "9" * 40, "x", "-1", "1.0", "%C2%B2"]


async def test_jobs_that_there_are_not(both: Site) -> None:
    for id in JOBS_THAT_THERE_ARE_NOT:
        assert_problem(await both.root.get(f"/jobs/{id}"), 404)
        assert_problem(await both.root.post(f"/jobs/{id}/events", json={"event": "cancel"}), 404)


async def test_jobs_of_others_are_not_there(site: Site) -> None:
    job = await site.created()
    foreign = [
        await site.bob.get(f"/jobs/{job['id']}"),
        await site.bob.get(f"/jobs/{job['id']}", headers={"Accept": "text/event-stream"}),
        await site.bob.post(f"/jobs/{job['id']}/events", json={"event": "cancel"}),
        await site.bob.get("/domains/demo/jobs"),
    ]
    for answer in foreign:
        assert_problem(answer, 404)
    assert (await site.bob.get("/jobs")).json()["items"] == []
    assert (await site.bob.get(f"/jobs?ids={job['id']}")).json()["items"] == []
    assert (await site.root.get(f"/jobs/{job['id']}")).json()["id"] == job["id"]


# -- lists ---------------------------------------------------------------------------------


async def test_lists_and_filters(both: Site) -> None:
    one = (await both.created("one"))["id"]
    async with both.working():
        await both.ended(one)
    two = (await both.created("two"))["id"]
    await both.bob.post("/domains", json={"name": "bobs"})
    body = {"name": "x", "cartridge": "python"}
    answer = await both.bob.post("/domains/bobs/applications", json=body)
    bobs = int(answer.text.rpartition("/")[2])
    since = (await both.job(two))["created_at"]

    async def ids(query: str, path: str = "/jobs") -> list[int]:
        response = await both.root.get(f"{path}?{query}")
        assert response.status_code == 200, response.text
        assert all(set(job) == FIELDS for job in response.json()["items"])
        return [job["id"] for job in response.json()["items"]]

    assert await ids("") == [bobs, two, one]
    assert await ids("status=queued") == [bobs, two]
    assert await ids("status=complete,queued&phase=complete") == [one]
    assert await ids("phase=ready") == [bobs, two]
    assert await ids("owner=anna") == [two, one]
    assert await ids("owner=bob") == [bobs]
    assert await ids("operation=create-application") == [bobs, two, one]
    assert await ids("operation=nothing") == []
    assert await ids(f"ids={one},{bobs},77") == [bobs, one]
    assert await ids("since=2001-01-01") == [bobs, two, one]
    assert await ids("since=2100-01-01T00:00:00Z") == []
    assert one not in await ids(f"since={since}")
    assert await ids("", "/domains/demo/jobs") == [two, one]
    assert await ids("", "/domains/demo/applications/one/jobs") == [one]
    own = (await both.anna.get("/jobs")).json()["items"]
    assert [job["id"] for job in own] == [two, one]
    assert_problem(await both.anna.get("/jobs?owner=bob"), 403)


FILTERS_THAT_CANNOT_BE = [
    ("status=lost", "status"),
    ("phase=x", "phase"),
    ("operation=%00", "operation"),
    ("since=yesterday", "since"),
    ("since=0000-00-00", "since"),
    ("ids=1,x", "ids"),
    ("ids=" + ",".join(["1"] * 201), "ids"),
    ("ids=" + "9" * 30, "ids"),
    ("before=x", "before"),
    ("owner=%00", "owner"),
    ("owner=nobody", "owner"),
]


async def test_filters_that_cannot_be(both: Site) -> None:
    for query, field in FILTERS_THAT_CANNOT_BE:
        assert_problem(await both.root.get(f"/jobs?{query}"), 422, field)


async def test_pages_of_jobs(both: Site) -> None:
    made = [(await both.created(f"a{number}"))["id"] for number in range(5)]
    found, url = [], "/jobs?limit=2&status=queued"
    while url:
        response = await both.anna.get(url)
        found.append([job["id"] for job in response.json()["items"]])
        url = response.json()["next"]
        assert response.headers.get("link") == (f'<{url}>; rel="next"' if url else None)
        assert not url or (url.startswith(f"{both.url}/broker/rest/jobs?") and "queued" in url)
    assert found == [made[4:2:-1], made[2:0:-1], made[:1]]


# -- waiting -------------------------------------------------------------------------------


async def test_an_etag_spares_the_body(site: Site) -> None:
    there = f"/jobs/{(await site.created())['id']}"
    tag = (await site.anna.get(there)).headers["etag"]
    same = await site.anna.get(there, headers={"If-None-Match": f'"x", {tag}'})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == tag
    assert (await site.anna.get(there, headers={"If-None-Match": '"x"'})).status_code == 200
    await site.anna.post(there + "/events", json={"event": "cancel"})
    other = await site.anna.get(there, headers={"If-None-Match": tag})
    assert other.status_code == 200
    assert other.headers["etag"] != tag


async def test_a_request_is_held_until_the_job_changes(both: Site) -> None:
    job = await both.created()
    there = f"/jobs/{job['id']}"
    tag = (await both.anna.get(there)).headers["etag"]
    unknown = await both.anna.get(there + "?wait=60", headers={"If-None-Match": '"x"'})
    assert unknown.json() == job  # it knows another one: nothing to wait for
    held = asyncio.ensure_future(both.anna.get(there + "?wait=60", headers={"If-None-Match": tag}))
    await asyncio.sleep(0)
    await both.anna.post(there + "/events", json={"event": "cancel"})
    assert (await held).json() != job
    over = await both.anna.get(there + "?wait=60")  # and nothing changes any more
    assert over.json()["phase"] == "cancelled"


async def test_nothing_changes_in_time(site: Site) -> None:
    job = await site.created()
    there = f"/jobs/{job['id']}"
    assert (await site.anna.get(there + "?wait=1")).json() == job
    for wait in ("x", "-1", "61", ""):
        assert_problem(await site.anna.get(f"{there}?wait={wait}"), 422, "wait")


# -- events --------------------------------------------------------------------------------


async def test_one_that_waits_is_cancelled_at_once(both: Site) -> None:
    there = f"/jobs/{(await both.created())['id']}/events"
    answer = await both.anna.post(there, json={"event": "cancel", "reason": "no \0 more"})
    assert answer.status_code == 200
    assert answer.json()["phase"] == "cancelled"
    assert_problem(await both.anna.post(there, json={"event": "cancel"}), 409)
    assert_problem(await both.anna.get("/domains/demo/applications/blog"), 404)


async def test_one_that_runs_is_taken_back(both: Site) -> None:
    async with both.working():
        gate = both.gate()
        job = await both.created()
        await gate.wait()
        answer = await both.anna.post(f"/jobs/{job['id']}/events", json={"event": "cancel"})
        assert answer.status_code == 200
        assert answer.json()["cancel_asked"] is True
        again = await both.anna.post(f"/jobs/{job['id']}/events", json={"event": "cancel"})
        assert again.status_code == 200
        gate.open()
        assert (await both.ended(job["id"]))["phase"] == "cancelled"


async def test_what_failed_is_tried_again(both: Site) -> None:
    both.house.broker.nodes[LOCAL].plant("build", "*", "refused", 1)  # type: ignore[attr-defined]
    headers = {"Prefer": "wait=60"}
    async with both.working():
        failed = (await both.create(**headers)).json()
        assert failed["phase"] == "failed"
        assert set(failed["error"]) == {"code", "text", "step"}
        assert failed["resource"] is None
        there = f"/jobs/{failed['id']}/events"
        again = await both.anna.post(there, json={"event": "retry"}, headers=headers)
    assert again.status_code == 200
    assert again.json()["phase"] == "complete"
    assert again.json()["retry_of"] == failed["url"]
    assert (await both.job(failed["id"]))["retried_by"] == again.json()["url"]
    refused = await both.anna.post(there, json={"event": "retry"})
    assert assert_problem(refused, 409)["job"] == again.json()["url"]


async def test_only_what_failed_is_tried_again(site: Site) -> None:
    there = f"/jobs/{(await site.created())['id']}/events"
    assert_problem(await site.anna.post(there, json={"event": "retry"}), 409)
    await site.anna.post(there, json={"event": "cancel"})
    retried = await site.anna.post(there, json={"event": "retry"})
    assert retried.status_code == 307


@pytest.mark.parametrize("event", ["kick", "skip", "undo", "discard"])
async def test_only_operators_help_along(site: Site, event: str) -> None:
    there = f"/jobs/{(await site.created())['id']}/events"
    wish = {"event": event, "reason": "because", "step": 0}
    assert_problem(await site.anna.post(there, json=wish), 403)
    assert_problem(await site.root.post(there, json=wish), 409)
    assert_problem(await site.root.post(there, json={"event": event}), 422, "reason")


async def test_an_operator_closes_a_buried_job(both: Site) -> None:
    node = both.house.broker.nodes[LOCAL]
    async with both.working():
        await both.made()
        node.plant("remove", "*", "refused", 1)  # type: ignore[attr-defined]
        headers = {"Prefer": "wait=60"}
        app = "/domains/demo/applications/blog"
        buried = (await both.anna.delete(app, headers=headers)).json()
        assert buried["phase"] == "buried"
        there = f"/jobs/{buried['id']}/events"
        missing = {"event": "skip", "reason": "by hand"}
        assert_problem(await both.root.post(there, json=missing), 422, "step")
        assert_problem(await both.root.post(there, json=missing | {"step": 99}), 404, "step")
        assert_problem(await both.root.post(there, json=missing | {"step": 1 << 70}), 422, "step")
        kicked = await both.root.post(there, json={"event": "kick", "reason": "it is back"})
        assert kicked.status_code == 200
        assert (await both.ended(buried["id"]))["phase"] == "complete"


APP = "/domains/demo/applications/blog"
WAIT = {"Prefer": "wait=60"}
BINARY = {"Content-Type": "application/octet-stream"}


async def discarded(site: Site, buried: Json) -> None:
    """An operator closes it as it is."""
    assert buried["phase"] == "buried"
    wish = {"event": "discard", "reason": "nobody will mend it"}
    assert (await site.root.post(f"/jobs/{buried['id']}/events", json=wish)).status_code == 200


async def test_an_application_whose_deletion_was_discarded_is_broken(both: Site) -> None:
    async with both.working():
        await both.made()
        both.house.broker.nodes[LOCAL].plant("remove", "*", "refused", 1)  # type: ignore[attr-defined]
        await discarded(both, (await both.anna.delete(APP, headers=WAIT)).json())
        assert (await both.anna.get(APP)).json()["state"] == "broken"
        assert (await both.anna.delete(APP, headers=WAIT)).json()["phase"] == "complete"
    assert_problem(await both.anna.get(APP), 404)


async def test_an_application_whose_deployment_was_discarded_is_broken(both: Site) -> None:
    node = both.house.broker.nodes[LOCAL]
    async with both.working():
        await both.made()
        for call in ("build", "keep"):
            node.plant(call, "*", "refused", 1)  # type: ignore[attr-defined]
        content = {"content": archive({"app.py": b""}), "headers": WAIT | BINARY}
        await discarded(both, (await both.anna.post(APP + "/releases", **content)).json())
        assert (await both.anna.get(APP)).json()["state"] == "broken"
        again = await both.anna.post(APP + "/releases", **content)
        assert again.json()["phase"] == "complete"
        assert (await both.anna.get(APP)).json()["state"] == "started"


async def test_an_application_whose_creation_was_discarded_is_broken(both: Site) -> None:
    node = both.house.broker.nodes[LOCAL]
    async with both.working():
        for call in ("build", "remove"):
            node.plant(call, "*", "refused", 1)  # type: ignore[attr-defined]
        await discarded(both, (await both.create(**WAIT)).json())
        assert (await both.anna.get(APP)).json()["state"] == "broken"
        assert (await both.anna.delete(APP, headers=WAIT)).json()["phase"] == "complete"
    assert_problem(await both.anna.get(APP), 404)


class Closed(Hooks):
    """Takes nothing."""

    async def before_submit(self, request: Request) -> None:
        raise Refused(f"no {request.operation.kind} on Sundays")


async def test_a_hook_of_the_operator_may_refuse(site: Site) -> None:
    site.front.broker = replace(site.front.broker, hooks=Closed())
    document = assert_problem(await site.create(), 422)
    assert document["detail"] == "no create-application on Sundays"
    assert await site.count_jobs() == 0


EVENTS_THAT_CANNOT_BE = [
    ({"event": "explode"}, "event"),
    ({"event": None}, "event"),
    ({}, "event"),
    ({"event": "cancel", "reason": 5}, "reason"),
    ({"event": "cancel", "reason": "x" * 501}, "reason"),
    ({"event": "cancel", "step": "0"}, "step"),
]


async def test_events_that_cannot_be(site: Site) -> None:
    job = await site.created()
    for body, field in EVENTS_THAT_CANNOT_BE:
        refused = await site.anna.post(f"/jobs/{job['id']}/events", json=body)
        assert_problem(refused, 422, field)
        assert await site.job(job["id"]) == job
