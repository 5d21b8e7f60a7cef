"""Who is let in, and how far."""

import base64

import httpx
import pytest

from api.site import HASHER, PASSWORD, Site, assert_problem
from windlass.api.auth import digest
from windlass.api.passwords import BY_ADDRESS, BY_NAME
from windlass.api.requests import address_of
from windlass.api.throttle import ROOM, Throttle, origin


def basic(login: str, password: str) -> dict[str, str]:
    return raw_basic(f"{login}:{password}".encode())


def raw_basic(text: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


async def test_a_password_opens(both: Site) -> None:
    user = (await both.nobody.get("/user", headers=basic("anna", PASSWORD))).json()
    assert user["login"] == "anna"
    assert user["admin"] is False
    assert user["limits"] == {"domains": 10, "gears": 20, "storage": 100}
    assert user["used"] == {"domains": 1, "gears": 0, "storage": 0}
    await both.created()
    assert (await both.anna.get("/user")).json()["used"] == {"domains": 1, "gears": 1, "storage": 1}


BAD = [
    {},
    basic("anna", "wrong"),
    basic("nobody", PASSWORD),
    basic("", ""),
    basic("x" * 500, PASSWORD),
    basic("anna", "x" * 300),
    basic("an\0na", PASSWORD),
    raw_basic(b"no colon"),
    raw_basic(b"\xff\xfe:x"),
    {"Authorization": "Basic ###"},
    {"Authorization": "Basic"},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer nonsense"},
    {"Authorization": "Bearer " + "x" * 5000},
    {"Authorization": "Digest x"},
]


async def test_others_are_kept_out_before_anything_happens(site: Site) -> None:
    for headers in BAD:
        response = await site.nobody.post("/domains", json={"name": "mine"}, headers=headers)
        assert_problem(response, 401)
        assert "Basic" in response.headers["www-authenticate"]
        assert await site.house.broker.store.domains.find("mine") is None


async def test_every_resource_wants_a_sign_in(site: Site) -> None:
    for path in ("/user", "/user/tokens", "/cartridges", "/domains", "/applications", "/jobs"):
        assert_problem(await site.nobody.get(path), 401)
    assert_problem(await site.nobody.post("/jobs/1"), 401)


async def test_good_credentials_are_remembered_until_the_password_changes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    verify = site.front.passwords.verify
    monkeypatch.setattr(site.front.passwords, "verify", lambda *a: hashed.append(1) or verify(*a))
    for _ in range(5):
        assert (await site.nobody.get("/user", headers=basic("anna", PASSWORD))).is_success
    assert len(hashed) == 1
    accounts = site.house.broker.store.accounts
    await accounts.set_password(site.users["anna"].id, HASHER.hash("another one"))
    assert_problem(await site.nobody.get("/user", headers=basic("anna", PASSWORD)), 401)
    assert (await site.nobody.get("/user", headers=basic("anna", "another one"))).is_success


async def test_guessing_one_name_is_slowed_down(site: Site) -> None:
    for number in range(BY_NAME):
        answer = await site.nobody.get("/user", headers=basic("anna", f"guess {number}"))
        assert_problem(answer, 401)
    response = await site.nobody.get("/user", headers=basic("anna", PASSWORD))
    assert_problem(response, 429)
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert (await site.nobody.get("/user", headers=basic("bob", PASSWORD))).is_success
    assert (await site.anna.get("/user")).is_success


async def test_guessing_names_is_slowed_down(site: Site) -> None:
    for number in range(BY_ADDRESS):
        await site.nobody.get("/user", headers=basic(f"guess{number}", "x"))
    assert_problem(await site.nobody.get("/user", headers=basic("x" * 100, "y")), 429)
    assert_problem(await site.nobody.get("/user", headers=basic("bob", PASSWORD)), 429)


async def test_one_who_knows_the_password_is_never_slowed_down(site: Site) -> None:
    for _ in range(3):
        await site.nobody.get("/user", headers=basic("anna", "wrong"))
    for _ in range(3 * BY_ADDRESS):
        assert (await site.nobody.get("/user", headers=basic("anna", PASSWORD))).is_success


def test_the_table_of_failures_is_bounded() -> None:
    throttle = Throttle(3)
    for number in range(ROOM + 100):
        throttle.count(str(number))
    assert len(throttle.table) == ROOM
    assert origin("2001:db8::1") == origin("2001:db8::ffff:2")
    assert origin("192.0.2.1") != origin("192.0.2.2")


def test_failures_are_forgotten_after_a_while() -> None:
    now = [0.0]
    throttle = Throttle(1, 60, lambda: now[0])
    throttle.count("anna")
    with pytest.raises(Exception, match="too many"):
        throttle.check("anna")
    now[0] = 61
    throttle.check("anna")


# -- tokens --------------------------------------------------------------------------------


async def test_a_token_is_shown_once_and_opens(both: Site) -> None:
    wish = {"note": "laptop", "scope": "full", "expires_in": 3600}
    response = await both.anna.post("/user/tokens", json=wish)
    assert response.status_code == 201
    made = response.json()
    assert {"id", "note", "scope", "created_at", "expires_at", "token"} == set(made)
    assert (await both.client(made["token"]).get("/user")).json()["login"] == "anna"
    items = (await both.anna.get("/user/tokens")).json()["items"]
    assert made["id"] in [one["id"] for one in items]
    assert all("token" not in one for one in items)
    assert await both.house.broker.store.accounts.bearer(digest(made["token"])) is not None


async def test_a_token_is_taken_away(site: Site) -> None:
    made = (await site.anna.post("/user/tokens", json={})).json()
    assert_problem(await site.bob.delete(f"/user/tokens/{made['id']}"), 404)
    assert (await site.anna.delete(f"/user/tokens/{made['id']}")).status_code == 204
    assert_problem(await site.client(made["token"]).get("/user"), 401)
    assert_problem(await site.anna.delete(f"/user/tokens/{made['id']}"), 404)
    assert_problem(await site.anna.delete("/user/tokens/%00"), 404)


async def test_an_expired_token_opens_nothing(site: Site) -> None:
    token = await site.token(site.users["anna"].id, seconds=-1)
    assert_problem(await site.client(token).get("/user"), 401)


A_TOKEN_THAT_CANNOT_BE = [
    ({"scope": "all"}, "scope"),
    ({"expires_in": 0}, "expires_in"),
    ({"expires_in": 10**12}, "expires_in"),
    ({"expires_in": "1"}, "expires_in"),
    ({"note": "x" * 201}, "note"),
    ({"note": "a\0b"}, "note"),
    ({"note": None}, "note"),
    ({"admin": True}, "admin"),
]


async def test_a_token_that_cannot_be(site: Site) -> None:
    for wish, field in A_TOKEN_THAT_CANNOT_BE:
        assert_problem(await site.anna.post("/user/tokens", json=wish), 422, field)


async def test_a_reading_token_changes_nothing(site: Site) -> None:
    job = await site.created()
    reader = site.client(await site.token(site.users["anna"].id, "read"))
    assert (await reader.get("/domains")).is_success
    body = {"name": "x", "cartridge": "python"}
    refused = [
        await reader.post("/domains", json={"name": "more"}),
        await reader.delete("/domains/demo"),
        await reader.post("/domains/demo/applications", json=body),
        await reader.delete("/domains/demo/applications/blog"),
        await reader.post("/domains/demo/applications/blog/events", json={"event": "stop"}),
        await reader.post("/domains/demo/applications/blog/releases", content=b""),
        await reader.post(f"/jobs/{job['id']}/events", json={"event": "cancel"}),
        await reader.post("/user/tokens", json={}),
        await reader.delete("/user/tokens/t1"),
    ]
    for response in refused:
        assert_problem(response, 403)
    assert (await reader.delete(f"/jobs/{job['id']}")).json()["phase"] == "ready"


# -- where a request comes from ------------------------------------------------------------


class Connection:
    def __init__(self, host: str, forwarded: str | None = None) -> None:
        self.client = type("Client", (), {"host": host})()
        self.headers = Headers(forwarded)


class Headers:
    def __init__(self, forwarded: str | None) -> None:
        self.forwarded = [forwarded] if forwarded else []

    def getall(self, _: str, default: list[str]) -> list[str]:
        return self.forwarded or default


@pytest.mark.parametrize(
    ("host", "forwarded", "trusted", "found"),
    [
        ("10.0.0.1", "192.0.2.1", (), "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1", ("10.0.0.2",), "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1", ("10.0.0.1",), "192.0.2.1"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1", ("10.0.0.0/8",), "192.0.2.1"),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1, 10.0.0.2", ("10.0.0.0/8",), "192.0.2.1"),
        ("10.0.0.1", "nonsense", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", None, ("10.0.0.1",), "10.0.0.1"),
    ],
)
def test_only_our_proxies_may_speak_for_others(
    host: str, forwarded: str | None, trusted: tuple[str, ...], found: str
) -> None:
    assert address_of(Connection(host, forwarded), trusted) == found  # type: ignore[arg-type]


async def test_a_forged_address_is_not_written_down(site: Site) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Remote-User": "root", "Host": "evil.example"}
    response: httpx.Response = await site.create(Prefer="respond-async", **headers)
    job = response.json()
    assert job["asked"]["by"] == "anna"
    assert job["asked"]["from"] == "127.0.0.1"
    assert job["asked"]["request"] == response.headers["x-request-id"]
    assert job["url"].startswith(site.url)
