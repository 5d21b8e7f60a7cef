"""Metrics: who may read them, in what form, and that they tell what is there."""

import re
from dataclasses import replace
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api.site import Site, assert_problem
from conftest import free_port
from windlass.app import LOCAL
from windlass.queues.beanstalkd import BeanstalkdQueue

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
SCRAPE = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5"


async def told(site: Site, reader: httpx.AsyncClient | None = None) -> dict[str, float]:
    """Every sample, under its name and labels."""
    headers = {"Accept": SCRAPE}
    answer = await (reader or site.root).get(f"{site.url}/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.text))
    assert all(one.documentation and one.type in ("gauge", "counter") for one in families)
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for one in families
        for sample in one.samples
    }


async def test_metrics_are_the_operators(site: Site) -> None:
    there = f"{site.url}/metrics"
    assert_problem(await site.nobody.get(there), 401)
    assert_problem(await site.anna.get(there), 403)
    reads = await site.token(site.users["root"].id, scope="read")
    assert (await told(site, site.client(reads)))["windlass_queue_up"] == 1


async def test_what_is_there_is_told(both: Site) -> None:
    before = await told(both)
    assert before["windlass_workers"] == 0
    assert before["windlass_jobs_buried_total create-application"] == 0
    await both.created()
    waiting = await told(both)
    assert waiting["windlass_jobs ready default"] == 1
    assert waiting["windlass_jobs buried default"] == 0
    assert waiting["windlass_oldest_ready_job_seconds default"] > 0
    async with both.working():
        await both.ended(1)
        with_worker = await told(both)
    assert with_worker["windlass_jobs ready default"] == 0
    assert with_worker["windlass_oldest_ready_job_seconds default"] == 0
    assert (with_worker["windlass_workers"], with_worker["windlass_slots"]) == (1, 10)


async def test_a_burial_is_told(site: Site) -> None:
    node = site.house.broker.nodes[LOCAL]
    async with site.working():
        await site.made()
        node.plant("remove", "*", "refused", 1)  # type: ignore[attr-defined]
        gone = await site.anna.delete(
            "/domains/demo/applications/blog", headers={"Prefer": "wait=60"}
        )
        assert gone.json()["phase"] == "buried"
    found = await told(site)
    assert found["windlass_jobs buried default"] == 1
    assert found["windlass_jobs_buried_total delete-application"] == 1


async def test_a_queue_that_is_away_is_told(site: Site) -> None:
    queue = BeanstalkdQueue(f"beanstalkd://127.0.0.1:{free_port()}", None)
    site.front.broker = replace(site.front.broker, queue=queue)
    assert (await told(site))["windlass_queue_up"] == 0


async def test_the_page_names_what_there_is(site: Site) -> None:
    """Also in the example alerts."""
    there = {sample.partition(" ")[0] for sample in await told(site)}
    there.add("windlass_oldest_ready_job_seconds")  # there is no tube yet
    there.add("windlass_jobs")
    assert set(re.findall(r"windlass_\w+", PAGE.read_text())) == there
