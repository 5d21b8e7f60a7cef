"""Environment variables, as the API has them."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text, update
from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from api.site import Site, assert_problem
from conftest import until
from windlass.api.sweeping import keep_swept
from windlass.api.variables import STALE
from windlass.app import LOCAL
from windlass.model.variables import ALL, LONGEST, MOST
from windlass.store.tables import changes, metadata

APP = "/domains/demo/applications/blog"
VARIABLES = f"{APP}/environment-variables"
WAIT = {"Prefer": "wait=60"}
LIST = "environment_variables"
SECRET = "a-value-that-nobody-else-may-see"


def items(**values: str | None) -> dict[str, Any]:
    """A list as the API takes it."""
    wish = [{"name": name} | ({} if value is None else {"value": value}) for name, value in values.items()]  # fmt: skip  # noqa: E501
    return {"environment_variables": wish}


def done(answer: Any) -> Any:
    assert answer.json()["phase"] == "complete", answer.text
    return answer.json()


async def there(site: Site, path: str = VARIABLES) -> dict[str, str]:
    listed = (await site.anna.get(path)).json()
    assert listed["next"] is None
    return {one["name"]: one["value"] for one in listed["items"]}


async def set_aside(site: Site) -> int:
    return (await site.house.counts())["changes"]


async def test_variables_are_set_shown_changed_and_taken_away(both: Site) -> None:
    anna = both.anna
    async with both.working():
        await both.made()
        assert await there(both) == {}
        job = done(await anna.post(VARIABLES, json={"name": "A", "value": "1"}, headers=WAIT))
        assert job["operation"] == "set-variables"
        assert job["title"] == "Set A of application blog in demo"
        done(await anna.post(VARIABLES, json=items(B="2", C="drei ✓\n", A=None), headers=WAIT))
        assert await there(both) == {"B": "2", "C": "drei ✓\n"}
        done(await anna.patch(VARIABLES, json=items(B=None, D="", E="5"), headers=WAIT))
        assert await there(both) == {"C": "drei ✓\n", "D": "", "E": "5"}
        done(await anna.put(f"{VARIABLES}/D", json={"value": "4"}, headers=WAIT))
        assert (await anna.get(f"{VARIABLES}/D")).json() == {"name": "D", "value": "4"}
        done(await anna.delete(f"{VARIABLES}/C", headers=WAIT))
        assert await there(both) == {"D": "4", "E": "5"}
    id = (await anna.get(APP)).json()["id"]
    assert await there(both, f"/application/{id}/environment_variables") == {"D": "4", "E": "5"}
    one = await anna.get("/domain/demo/application/blog/environment_variable/E")
    assert one.json()["value"] == "5"
    assert len((await anna.get(f"{VARIABLES}?limit=1")).json()["items"]) == 1
    assert await set_aside(both) == 0


async def test_what_is_not_there_or_not_yours(site: Site) -> None:
    await site.created()
    for method, more in (("GET", {}), ("PUT", {"json": {"value": "1"}}), ("DELETE", {})):
        missing = await site.anna.request(method, f"{VARIABLES}/A", **more)  # type: ignore[arg-type]
        assert assert_problem(missing, 404)["exit_code"] == 188
    assert_problem(await site.bob.get(VARIABLES), 404)
    assert_problem(await site.bob.post(VARIABLES, json=items(A="1")), 404)
    reader = site.client(await site.token(site.house.user.id, "read"))
    assert_problem(await reader.get(VARIABLES), 403)
    assert await site.count_jobs() == 1


LONG = "x" * (LONGEST + 1)
WRONG: list[tuple[Any, str, int]] = [
    ({}, "name", 188),
    ({"name": "A"}, "value", 190),
    ({"name": "A", "value": 1}, "value", 190),
    ({"name": 1, "value": "1"}, "name", 188),
    ({"name": "1A", "value": "1"}, "name", 188),
    ({"name": "A-B", "value": "1"}, "name", 188),
    ({"name": "", "value": "1"}, "name", 188),
    ({"name": "A" * 129, "value": "1"}, "name", 188),
    ({"name": "PORT", "value": "1"}, "name", 188),
    ({"name": "OPENSHIFT_APP_NAME", "value": "1"}, "name", 188),
    ({"name": "A", "value": "\0"}, "value", 190),
    ({"name": "A", "value": LONG}, "value", 190),
    ({"name": "A", "value": "1", **items(B="2")}, "environment_variables", 186),
    ({"environment_variables": []}, "environment_variables", 186),
    ({"environment_variables": "A"}, "environment_variables", 186),
    ({"environment_variables": ["A"]}, "environment_variables[0]", 186),
    ({"environment_variables": [{"value": "1"}]}, "name", 188),
    ({"environment_variables": [{"name": "A", "value": 1}]}, "environment_variables[0].value", 190),
    ({"environment_variables": [{"name": "A"}] * 2}, "environment_variables", 186),
    ({"variables": []}, "variables", 186),
]


async def test_what_cannot_be_makes_no_job(site: Site) -> None:
    await site.created()
    for body, field, code in WRONG:
        refused = assert_problem(await site.anna.post(VARIABLES, json=body), 422, field)
        assert refused["exit_code"] == code, body
    assert assert_problem(await site.anna.patch(VARIABLES, json={}), 422, LIST)["exit_code"] == 186
    half = b'{"name": "A", "value": "\\ud800"}'
    answer = await site.anna.post(VARIABLES, content=half)
    assert answer.status_code in (400, 422)
    assert await site.count_jobs() == 1
    assert await set_aside(site) == 0


async def test_refusals_do_not_repeat_values(site: Site) -> None:
    await site.created()
    for body in ({"name": "A", "value": SECRET + LONG}, {"name": "A", "value": [SECRET]}):
        answer = await site.anna.post(VARIABLES, json=body)
        assert_problem(answer, 422, "value")
        assert SECRET not in answer.text


async def test_limits_are_told_with_the_numbers(both: Site) -> None:
    numbered = {f"A{number}": "1" for number in range(MOST)}
    async with both.working():
        await both.made()
        done(await both.anna.post(VARIABLES, json=items(**numbered), headers=WAIT))
        before = await both.count_jobs()
        for wish, have in (
            ({"B": "1", "C": "1"}, MOST + 2),
            ({"A0": None, "B": "1", "C": "1"}, MOST + 1),
        ):
            answer = await both.anna.post(VARIABLES, json=items(**wish))
            refused = assert_problem(answer, 422)
            assert refused["exit_code"] == 186
            assert refused["detail"] == f"that would be {have} variables, and {MOST} are allowed"
        too_many = items(**numbered, B="1")
        assert_problem(await both.anna.patch(VARIABLES, json=too_many), 422)
        assert await both.count_jobs() == before
        assert await set_aside(both) == 0
        done(await both.anna.patch(VARIABLES, json=items(A0=None, B="1"), headers=WAIT))
        assert len(await both.house.broker.store.variables.all(await id_of(both))) == MOST


async def test_all_of_them_have_a_size_too(both: Site) -> None:
    await both.created()
    many = {f"A{number}": "ä" * (LONGEST // 2) for number in range(ALL // LONGEST)}
    answer = await both.anna.post(VARIABLES, json=items(**many))
    refused = assert_problem(answer, 422)
    assert refused["detail"] == "that would be 513 KiB of variables, and 512 are allowed"


async def id_of(site: Site) -> Any:
    return (await site.anna.get(APP)).json()["id"]


async def test_the_same_key_and_change_is_one_job(both: Site) -> None:
    async with both.working():
        await both.made()
    key = {"Idempotency-Key": "once"}

    async def send(**values: str) -> tuple[int, str]:
        answer = await both.anna.post(VARIABLES, json=items(**values), headers=key)
        return answer.status_code, answer.text

    first, *others = await asyncio.gather(*[send(A="1", B="2") for _ in range(4)])
    assert first[0] == 307
    assert set(others) == {first}
    assert await send(B="2", A="1") == first
    for other in ({"A": "1", "B": "3"}, {"A": "1"}):
        answer = await both.anna.post(VARIABLES, json=items(**other), headers=key)
        assert_problem(answer, 422, "Idempotency-Key")
    assert await set_aside(both) == 2
    async with both.working():
        assert (await both.ended(number(first[1])))["phase"] == "complete"
    assert await there(both) == {"A": "1", "B": "2"}
    assert await send(A="1", B="2") == first
    assert await set_aside(both) == 0


def number(url: str) -> int:
    return int(url.rpartition("/")[2])


async def test_a_job_that_is_refused_leaves_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.created()

    async def refused(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("windlass.store.submission.insert_job", refused)
    assert_problem(await site.anna.post(VARIABLES, json=items(A="1")), 500)
    assert await set_aside(site) == 0


async def test_an_application_that_is_gone_or_going(both: Site) -> None:
    async with both.working():
        job = await both.made()
        id = await id_of(both)
        gate = both.gate("remove")
        deletion = await both.anna.delete(APP)
        await gate.wait()
        answer = await both.anna.post(VARIABLES, json=items(A="1"))
        assert assert_problem(answer, 409)["job"] == deletion.text
        gate.open()
        await both.ended(number(deletion.text))
    assert_problem(await both.anna.post(VARIABLES, json=items(A="1")), 404)
    with pytest.raises(Exception, match="no such application"):
        await both.house.broker.store.variables.set_aside("v1", id, {"A": "1"})  # type: ignore[arg-type]
    assert job["id"]
    assert await set_aside(both) == 0


async def test_what_failed_must_be_said_again(both: Site) -> None:
    async with both.working():
        await both.made()
        plant_refusal(both)
        job = (await both.anna.post(VARIABLES, json=items(A="1"), headers=WAIT)).json()
    assert job["phase"] == "failed"
    again = await both.anna.post(f"/jobs/{job['id']}/events", json={"event": "retry"})
    assert "set them again" in assert_problem(again, 409)["detail"]
    assert await set_aside(both) == 0


async def test_what_no_job_knows_is_swept(both: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a job still needs stays, however old it is."""
    await both.created()
    answer = await both.anna.post(VARIABLES, json=items(A="1"))
    assert answer.status_code == 307
    kept, id = both.house.broker.store.variables, await id_of(both)
    async with both.house.broker.store.database.write() as connection:
        await connection.execute(update(changes).values(at=changes.c.at - STALE - 60))
    for name in ("v-old", "v-new"):
        await kept.set_aside(name, id, {"A": "1", "B": None})  # type: ignore[arg-type]
    async with both.house.broker.store.database.write() as connection:
        old = update(changes).where(changes.c.id == "v-old")
        await connection.execute(old.values(at=changes.c.at - STALE - 60))
    monkeypatch.setattr("windlass.api.sweeping.SWEEP", 0.01)
    sweeping = asyncio.ensure_future(keep_swept(both.house.broker))
    try:
        await until(lambda: gone(both))
    finally:
        sweeping.cancel()
    assert await set_aside(both) == 3
    async with both.working():
        assert (await both.ended(number(answer.text)))["phase"] == "complete"
    assert await there(both) == {"A": "1"}


async def gone(site: Site) -> bool:
    return not await site.house.broker.store.variables.kept("v-old")  # type: ignore[arg-type]


async def test_a_secret_stands_in_no_row_but_its_own(both: Site) -> None:
    """Whether the job goes well, or is refused by the node, or the datastore is broken."""
    key = {"Idempotency-Key": "once", **WAIT}
    with capture_logs() as lines:
        async with both.working():
            await both.made()
            done(await both.anna.post(VARIABLES, json=items(TOKEN=SECRET), headers=key))
            assert await rows_with_secret(both) == {"variables": 1}
            plant_refusal(both)
            other = {"value": SECRET + "2"}
            failed = await both.anna.put(f"{VARIABLES}/TOKEN", json=other, headers=WAIT)
            assert failed.json()["phase"] == "failed"
            assert SECRET not in failed.text
        await rename(both, "changes", "elsewhere")
        broken = await both.anna.patch(VARIABLES, json=items(OTHER=SECRET))
        await rename(both, "elsewhere", "changes")
    assert broken.status_code == 500
    said = [str(format_exc_info(None, "", dict(line))) for line in lines]
    assert any("job.settled" in line for line in said)
    assert any("request.failed" in line and "INSERT INTO changes" in line for line in said)
    assert not any(SECRET in line for line in said)
    assert await rows_with_secret(both) == {"variables": 1}


async def rename(site: Site, table: str, to: str) -> None:
    async with site.house.broker.store.database.write() as connection:
        await connection.execute(text(f"ALTER TABLE {table} RENAME TO {to}"))


def plant_refusal(site: Site) -> None:
    site.house.broker.nodes[LOCAL].plant("publish", "*", "refused", 1)  # type: ignore[attr-defined]


async def rows_with_secret(site: Site) -> dict[str, int]:
    """How many rows of which tables have it somewhere in them."""
    found = {}
    async with site.house.broker.store.database.read() as connection:
        for table in metadata.sorted_tables:
            rows = (await connection.execute(table.select())).all()
            if count := sum(SECRET in repr(tuple(row)) for row in rows):
                found[table.name] = count
    return found


async def test_a_deleted_application_leaves_no_variable(both: Site) -> None:
    async with both.working():
        await both.made()
        done(await both.anna.post(VARIABLES, json=items(A="1"), headers=WAIT))
        gate = both.gate("publish")
        waiting = await both.anna.post(VARIABLES, json=items(A="2"))
        await gate.wait()
        assert await set_aside(both) == 1
        deletion = await both.anna.delete(APP)
        gate.open()
        assert (await both.ended(number(deletion.text)))["phase"] == "complete"
        assert (await both.ended(number(waiting.text)))["phase"] == "cancelled"
    counts = await both.house.counts()
    assert not any(counts[table] for table in ("applications", "variables", "changes", "secrets"))
