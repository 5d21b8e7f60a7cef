"""What answers without a sign-in, and what every answer has."""

import asyncio
import os
import time
from dataclasses import replace

import httpx
import pytest

from api.site import Site, assert_problem
from conftest import free_port, until
from windlass.api.releases import STALE
from windlass.api.sweeping import keep_swept
from windlass.queues.beanstalkd import BeanstalkdQueue
from windlass.store.access import Access
from windlass.store.database import Database
from windlass.store.store import Store
from windlass.store.summary import Summary

THE_SERVICE_TELLS_WHAT_IT_IS = ["", "/", "/api"]


async def test_the_service_tells_what_it_is(site: Site) -> None:
    for path in THE_SERVICE_TELLS_WHAT_IT_IS:
        response = await site.nobody.get(path)
        assert response.status_code == 200
        service = response.json()
        assert service["name"] == "windlass"
        assert service["api_versions"] == ["2.0"]
        assert service["links"]["jobs"] == f"{site.url}/broker/rest/jobs"


async def test_the_schema_describes_every_resource(site: Site) -> None:
    document = (await site.nobody.get("/schema")).json()
    assert document["openapi"].startswith("3.")
    assert "/broker/rest/domains/{domain}/applications" in document["paths"]
    creation = document["paths"]["/broker/rest/domains"]["post"]
    body = creation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/NewDomain"}
    assert document["components"]["schemas"]["NewDomain"]["required"] == ["name"]


async def test_one_who_is_well_says_so(both: Site) -> None:
    async def with_a_worker() -> httpx.Response | None:
        found = await both.nobody.get(f"{both.url}/health")
        return found if found.json()["workers"] else None

    assert (await both.nobody.get(f"{both.url}/health")).json()["workers"] == 0
    async with both.working():
        health = await until(with_a_worker)
    assert health.status_code == 200
    assert health.json()["status"] == "ok"
    assert health.json()["workers"] == 1


@pytest.mark.parametrize("part", ["database", "queue"])
async def test_one_who_is_ill_says_so(site: Site, part: str) -> None:
    """Nobody listens at the port that is asked."""
    nowhere = f"127.0.0.1:{free_port()}"
    if part == "database":
        site.front.summary = Summary(Access(Database(f"postgresql://{nowhere}/windlass")))
    else:
        queue = BeanstalkdQueue(f"beanstalkd://{nowhere}", None)
        site.front.broker = replace(site.front.broker, queue=queue)
    health = await site.nobody.get(f"{site.url}/health")
    assert health.status_code == 503
    assert health.json()[part] == "away"
    assert health.headers["Retry-After"]


async def test_a_datastore_that_is_away_is_no_mystery(
    site: Site,
) -> None:
    nowhere = Database(f"postgresql://127.0.0.1:{free_port()}/windlass")
    site.front.broker = replace(site.front.broker, store=Store(nowhere))
    response = await site.anna.get("/domains")
    assert_problem(response, 503)
    assert response.headers["retry-after"] == "1"


async def test_what_nobody_thought_of_tells_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret is sesame")

    monkeypatch.setattr(site.house.broker.store.domains, "page", broken)
    document = assert_problem(await site.anna.get("/domains"), 500)
    assert "sesame" not in str(document)


VERSIONS_THAT_THERE_ARE = [
    "application/json; version=2.0",
    'application/json;version="2.0"',
    "*/*",
    "text/html",
]


async def test_versions_that_there_are(site: Site) -> None:
    for wish in VERSIONS_THAT_THERE_ARE:
        assert (await site.anna.get("/user", headers={"Accept": wish})).status_code == 200


async def test_a_version_that_there_is_not(site: Site) -> None:
    wish = {"Accept": "application/json; version=9.9"}
    document = assert_problem(await site.anna.get("/user", headers=wish), 406)
    assert document["api_versions"] == ["2.0"]
    either = {"Accept": "application/json; version=9.9, application/json; version=2.0"}
    assert (await site.anna.get("/user", headers=either)).status_code == 200


A_PLAIN_REQUEST_ID_IS_KEPT = ["abc-1.2_3", "x" * 64]


async def test_a_plain_request_id_is_kept(site: Site) -> None:
    for given in A_PLAIN_REQUEST_ID_IS_KEPT:
        response = await site.anna.get("/user", headers={"X-Request-Id": given})
        assert response.headers.get_list("x-request-id") == [given]


ANOTHER_REQUEST_ID_IS_REPLACED = ["a b", "x" * 65, "", "a;b", "\xe4"]


async def test_another_request_id_is_replaced(site: Site) -> None:
    for given in ANOTHER_REQUEST_ID_IS_REPLACED:
        headers = [(b"X-Request-Id", given.encode("latin-1"))]
        response = await site.anna.get("/user", headers=headers)
        assert len(response.headers["x-request-id"]) == 16


NOTHING_IS_THERE = ["/nothing", "/domains/demo/nothing", "/user/nothing/x"]


async def test_nothing_is_there(site: Site) -> None:
    for path in NOTHING_IS_THERE:
        assert_problem(await site.anna.get(path), 404)
        assert_problem(await site.nobody.get(f"{site.url}/elsewhere"), 404)


async def test_a_method_that_a_resource_has_not(site: Site) -> None:
    assert_problem(await site.anna.put("/domains", json={}), 405)
    assert_problem(await site.anna.delete("/applications"), 405)


async def test_what_uploads_left_is_swept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halves, and sources whose job was cancelled before it began; never what a job still needs."""
    monkeypatch.setattr("windlass.api.sweeping.SWEEP", 0.01)
    house = site.house
    sweeping = asyncio.ensure_future(keep_swept(house.broker))
    creation = house.creation()
    await house.ask(creation)
    deployment = house.deployment(creation.application)
    await house.ask(deployment)
    archives = house.broker.archives
    needed = house.broker.archive(deployment.release).name
    for name, age in (("part-old", STALE + 60), ("part-new", 0), ("r1.tar", STALE + 60)):
        (archives / name).write_bytes(b"")
        os.utime(archives / name, (time.time() - age,) * 2)
    os.utime(archives / needed, (0, 0))
    await until(lambda: len(list(archives.iterdir())) == 2)
    sweeping.cancel()
    assert {one.name for one in archives.iterdir()} == {"part-new", needed}
