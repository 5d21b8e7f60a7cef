"""Aliases and the renaming of domains, through the API."""

import pytest

from api.site import Site, assert_problem

APP = "/domains/demo/applications/blog"
WWW = "www.example.com"


async def job_of(site: Site, response: object) -> dict[str, object]:
    assert response.status_code == 202, response.text  # type: ignore[attr-defined]
    return await site.ended(response.json()["id"])  # type: ignore[attr-defined]


async def test_an_alias_lives(both: Site) -> None:
    later = {"Prefer": "respond-async"}
    async with both.working():
        await both.made()
        asked = await both.anna.post(
            f"{APP}/aliases", json={"id": "WWW.Example.com."}, headers=later
        )
        assert (await job_of(both, asked))["status"] == "complete"
        listed = (await both.anna.get(f"{APP}/aliases")).json()
        assert listed == {"items": [{"id": WWW}], "next": None}
        assert (await both.anna.get(f"{APP}/alias/{WWW}")).json() == {"id": WWW}
        assert (await both.anna.get(APP)).json()["aliases"] == [WWW]
        asked = await both.anna.delete(f"{APP}/aliases/{WWW}", headers=later)
        assert (await job_of(both, asked))["status"] == "complete"
    assert (await both.anna.get(f"{APP}/aliases")).json()["items"] == []
    for method in ("GET", "DELETE"):
        gone = assert_problem(await both.anna.request(method, f"{APP}/aliases/{WWW}"), 404)
        assert gone["exit_code"] == 173


BAD = ["", "localhost", "1.2.3.4", "x.localhost", "a..b", "-a.com", "a b.com", "x" * 64 + ".com",
       "www.example.json", "a." * 128 + "com", "ex\u00e4mple.com", "a_b.com"]  # fmt: skip


@pytest.mark.parametrize("alias", BAD)
async def test_what_is_no_alias_is_refused(site: Site, alias: str) -> None:
    await site.created()
    bad = assert_problem(await site.anna.post(f"{APP}/aliases", json={"id": alias}), 422, "id")
    assert bad["exit_code"] == 105


async def test_an_alias_is_had_once(site: Site) -> None:
    await site.created()
    assert (await site.anna.post(f"{APP}/aliases", json={"alias": WWW})).status_code == 307
    taken = assert_problem(await site.anna.post(f"{APP}/aliases", json={"id": WWW}), 422, "id")
    assert taken["exit_code"] == 140
    unsaid = assert_problem(await site.anna.post(f"{APP}/aliases", json={}), 422, "id")
    assert unsaid["exit_code"] == 105
    assert_problem(await site.bob.post(f"{APP}/aliases", json={"id": "b.example.com"}), 404)


async def test_aliases_come_and_go_by_events_too(site: Site) -> None:
    async with site.working():
        await site.made()
        later = {"Prefer": "respond-async"}
        for event, there in (("add-alias", [{"id": WWW}]), ("remove-alias", [])):
            wish = {"event": event, "alias": WWW}
            asked = await site.anna.post(f"{APP}/events", json=wish, headers=later)
            assert (await job_of(site, asked))["status"] == "complete"
            assert (await site.anna.get(f"{APP}/aliases")).json()["items"] == there
    unsaid = await site.anna.post(f"{APP}/events", json={"event": "add-alias"})
    assert assert_problem(unsaid, 422, "id")["exit_code"] == 105


async def test_a_domain_is_renamed(both: Site) -> None:
    async with both.working():
        await both.made()
        before = (await both.anna.get("/domains/demo/jobs")).json()["items"]
        later = {"Prefer": "respond-async"}
        asked = await both.anna.put("/domains/demo", json={"name": "prod"}, headers=later)
        assert asked.json()["title"] == "Rename domain demo to prod"
        assert (await job_of(both, asked))["status"] == "complete"
    assert_problem(await both.anna.get("/domains/demo"), 404)
    application = (await both.anna.get("/domains/prod/applications/blog")).json()
    assert application["url"].startswith("http://blog-prod.localhost")
    after = (await both.anna.get("/domains/prod/jobs")).json()["items"]
    assert [one["id"] for one in after][1:] == [one["id"] for one in before]
    old = (await both.anna.get(before[0]["url"])).json()
    assert old["resource"] == application["api_url"], "where it is now"


@pytest.mark.parametrize(("name", "code"), [("demo", 133), ("bobs", 103), ("No!", 106), ("", 106)])
async def test_what_cannot_be_a_new_name(site: Site, name: str, code: int) -> None:
    await site.bob.post("/domains", json={"name": "bobs"})
    bad = assert_problem(await site.anna.put("/domains/demo", json={"name": name}), 422, "name")
    assert bad["exit_code"] == code
    assert_problem(await site.bob.put("/domains/demo", json={"name": "mine"}), 404)
