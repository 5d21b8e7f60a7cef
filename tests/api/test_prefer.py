"""How a job is answered, and that asking twice is asking once."""

import asyncio

import pytest

from api.site import Site, assert_problem
from windlass.api.prefer import Preference, preference


async def test_a_job_is_a_redirect_that_nobody_follows(both: Site) -> None:
    response = await both.create()
    assert response.status_code == 307
    assert response.headers["content-type"].startswith("text/plain")
    assert "location" not in response.headers
    url = response.text
    assert url == f"{both.url}/broker/rest/jobs/{url.rpartition('/')[2]}"
    assert response.headers["operation-location"] == url
    assert response.headers["link"] == f'<{url}>; rel="monitor"'
    assert response.headers["retry-after"] == "1"
    assert response.headers["cache-control"] == "no-store"
    job = (await both.anna.get(url)).json()
    assert list(job)[:2] == ["status", "percent_complete"]
    assert job["status"] == "queued"


async def test_respond_async_is_accepted_with_the_job(site: Site) -> None:
    response = await site.create(Prefer="respond-async")
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "respond-async"
    assert response.headers["location"] == response.json()["url"]
    assert response.json()["phase"] == "ready"


async def test_waiting_for_what_ends_in_time(both: Site) -> None:
    async with both.working():
        response = await both.create(Prefer="wait=60")
    assert response.status_code == 200
    assert response.headers["preference-applied"] == "wait=60"
    assert response.json()["status"] == "complete"
    assert response.json()["percent_complete"] == 100.0


async def test_waiting_for_what_does_not_end(site: Site) -> None:
    assert (await site.create("one", Prefer="wait=0")).status_code == 307
    assert (await site.create("two", Prefer="wait=1, respond-async")).status_code == 202
    assert (await site.create("three", Prefer="wait=1")).status_code == 307


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", Preference()),
        ("respond-async", Preference(True)),
        ("Respond-Async; foo, wait=5", Preference(True, 5)),
        ('wait="7"', Preference(False, 7)),
        ("wait=100000", Preference(False, 60)),
        ("wait=" + "9" * 500, Preference(False, 60)),
        ("wait=-1", Preference()),
        ("wait", Preference()),
        ("wait=\xb2", Preference()),
        ("handling=lenient,, =", Preference()),
    ],
)
def test_wishes(header: str, found: Preference) -> None:
    assert preference(header) == found


async def test_the_same_key_is_the_same_job(both: Site) -> None:
    key = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    answers = await asyncio.gather(*[both.create(**key) for _ in range(5)])
    assert {answer.status_code for answer in answers} == {307}
    assert len({answer.text for answer in answers}) == 1
    assert await both.count_jobs() == 1
    assert_problem(await both.create("other", **key), 422, "Idempotency-Key")
    assert await both.count_jobs() == 1


async def test_the_same_key_for_an_event(site: Site) -> None:
    await site.created()
    there, key = "/domains/demo/applications/blog/events", {"Idempotency-Key": "k"}
    first = await site.anna.post(there, json={"event": "stop"}, headers=key)
    assert (await site.anna.post(there, json={"event": "stop"}, headers=key)).text == first.text
    other = await site.anna.post(there, json={"event": "start"}, headers=key)
    assert_problem(other, 422, "Idempotency-Key")


KEYS_THAT_CANNOT_BE = ["", "x" * 256, "a b", "\xe4", "a\tb"]


async def test_keys_that_cannot_be(site: Site) -> None:
    for key in KEYS_THAT_CANNOT_BE:
        body = {"name": "blog", "cartridge": "python"}
        headers = [(b"Idempotency-Key", key.encode("latin-1"))]
        answer = await site.anna.post("/domains/demo/applications", json=body, headers=headers)
        assert_problem(answer, 422, "Idempotency-Key")
        assert await site.count_jobs() == 0
