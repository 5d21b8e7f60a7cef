"""Domains: made, listed, deleted; and bodies of every bad kind."""

from api.site import Site, assert_problem


async def test_a_domain_lives(both: Site) -> None:
    response = await both.bob.post("/domains", json={"name": "bobs"})
    assert response.status_code == 201
    domain = response.json()
    assert set(domain) == {"id", "name", "owner", "created_at", "url", "applications"}
    assert domain["owner"] == "bob"
    assert domain["created_at"].endswith("+00:00")
    assert response.headers["location"] == domain["url"]
    assert (await both.bob.get(domain["url"])).json() == domain
    assert (await both.bob.get("/domain/bobs")).json() == domain
    assert (await both.bob.get("/domains")).json() == {"items": [domain], "next": None}
    assert (await both.bob.delete("/domains/bobs")).status_code == 204
    assert_problem(await both.bob.get("/domains/bobs"), 404)


async def test_what_is_not_yours_is_not_there(site: Site) -> None:
    for method in ("GET", "DELETE"):
        foreign = assert_problem(await site.bob.request(method, "/domains/demo"), 404)
        missing = assert_problem(await site.bob.request(method, "/domains/nope"), 404)
        assert foreign["exit_code"] == missing["exit_code"] == 127
    assert (await site.root.get("/domains/demo")).json()["owner"] == "anna"
    assert (await site.bob.get("/domains")).json()["items"] == []


async def test_a_domain_with_applications_stays(both: Site) -> None:
    await both.created()
    assert (await both.anna.get("/domains/demo")).json()["applications"] == 1
    assert (await both.anna.get("/domains")).json()["items"][0]["applications"] == 1
    assert assert_problem(await both.anna.delete("/domains/demo"), 409)["exit_code"] == 128


async def test_names_and_limits(both: Site) -> None:
    taken = assert_problem(await both.bob.post("/domains", json={"name": "demo"}), 422, "name")
    assert taken["exit_code"] == 103
    for name in ("one", "two"):
        assert (await both.bob.post("/domains", json={"name": name})).status_code == 201
    # The number first, then the name: as OpenShift had it.
    for name in ("three", "one"):
        full = assert_problem(await both.bob.post("/domains", json={"name": name}), 409)
        assert full["exit_code"] == 103
        assert full["detail"] == "2 of 2 domains are used, and this would take 1 more"
    await both.bob.delete("/domains/one")
    assert (await both.bob.post("/domains", json={"name": "three"})).status_code == 201


BAD_NAMES = ["", "UPPER", "with-dash", "x" * 17, "ä", "a b", "a/b", "a\n", "\0"]


async def test_bad_names(site: Site) -> None:
    for name in BAD_NAMES:
        refused = assert_problem(await site.anna.post("/domains", json={"name": name}), 422, "name")
        assert refused["exit_code"] == 106


NAMES_THAT_NOTHING_CAN_HAVE = ["%00", "..%2F..", "%C3%A4", "%ED%A0%80", "x" * 3000, "%"]


async def test_names_that_nothing_can_have(both: Site) -> None:
    for name in NAMES_THAT_NOTHING_CAN_HAVE:
        assert_problem(await both.anna.get(f"{both.url}/broker/rest/domains/{name}"), 404)


BODIES = [
    (b"", 400, None),
    (b"{", 400, None),
    (b"[" * 100_000, 422, None),
    (b'{"name": "\xff"}', 400, None),
    (b'{"name": "\\ud800"}', 400, None),
    (b"null", 422, None),
    (b"[]", 422, None),
    (b'"name"', 422, None),
    (b"{}", 422, "name"),
    (b'{"name": 5}', 422, "name"),
    (b'{"name": null}', 422, "name"),
    (b'{"name": ["x"]}', 422, "name"),
    (b'{"name": "x", "more": 1}', 422, "more"),
    (b'{"name": "x"} {}', 400, None),
    (b'{"name": "' + b"x" * (1 << 20) + b'"}', 413, None),
]


async def test_bodies_of_every_bad_kind(site: Site) -> None:
    for body, status, field in BODIES:
        headers = {"Content-Type": "application/json"}
        response = await site.anna.post("/domains", content=body, headers=headers)
        assert_problem(response, status, field)
        assert len((await site.anna.get("/domains")).json()["items"]) == 1


async def test_a_body_without_an_announced_length_is_bounded_too(site: Site) -> None:
    async def endless():  # type: ignore[no-untyped-def]
        for _ in range(40):
            yield b" " * (1 << 16)

    headers = {"Content-Type": "application/json"}
    assert_problem(await site.anna.post("/domains", content=endless(), headers=headers), 413)


ANOTHER_MEDIA_TYPE = ["text/plain", "application/x-www-form-urlencoded", "nonsense"]


async def test_another_media_type(site: Site) -> None:
    for media in ANOTHER_MEDIA_TYPE:
        body, headers = b'{"name": "x"}', {"Content-Type": media}
        assert_problem(await site.anna.post("/domains", content=body, headers=headers), 415)


async def test_pages_of_domains(both: Site) -> None:
    names = sorted(f"d{number}" for number in range(7))
    for name in reversed(names):
        assert (await both.anna.post("/domains", json={"name": name})).status_code == 201
    found, url, pages = [], "/domains?limit=3", 0
    while url:
        response = await both.anna.get(url)
        found += [one["name"] for one in response.json()["items"]]
        url, pages = response.json()["next"], pages + 1
        link = response.headers.get("link")
        assert link == (f'<{url}>; rel="next"' if url else None)
    assert found == sorted([*names, "demo"])
    assert pages == 3


LIMITS_THAT_CANNOT_BE = ["0", "201", "-1", "x", "", "1.5", "1" * 30, "%C2%B2"]


async def test_limits_that_cannot_be(site: Site) -> None:
    for limit in LIMITS_THAT_CANNOT_BE:
        for path in ("/domains", "/applications", "/jobs", "/cartridges", "/user/tokens"):
            assert_problem(await site.anna.get(f"{path}?limit={limit}"), 422, "limit")


async def test_keys_of_pages_that_nobody_gave_out(both: Site) -> None:
    for after in ("%00", "%ED%A0%80", "x" * 500, "a/b/c", "%C3%A4"):
        assert (await both.anna.get(f"/domains?after={after}")).status_code == 200
        assert (await both.anna.get(f"/applications?after={after}")).status_code == 200


async def test_cartridges(site: Site) -> None:
    items = (await site.anna.get("/cartridges")).json()["items"]
    python = next(one for one in items if one["name"] == "python")
    assert set(python) == {
        "name",
        "display_name",
        "description",
        "category",
        "available",
        "missing",
    }
    short = (await site.anna.get("/user/tokens?limit=1")).json()
    assert len(short["items"]) == 1
    assert short["next"] is None
