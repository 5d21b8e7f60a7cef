"""Releases: archives received, judged, handed to jobs; and never left behind."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator

import pytest

from api.site import Json, Site, archive, assert_problem
from conftest import until
from windlass.app import LOCAL
from windlass.engine.job import Request
from windlass.engine.journal import Reserve, Submitted
from windlass.errors import Transient
from windlass.store.journal import SqlJournal

APP = "/domains/demo/applications/blog"
BINARY = {"Content-Type": "application/octet-stream"}
GOOD = archive({"app.py": b"print(1)"})


@pytest.fixture
async def blog(site: Site) -> Site:
    """A site with an application that is up."""
    async with site.working():
        await site.made()
    return site


async def upload(site: Site, content: object = GOOD, **headers: str) -> object:
    return await site.anna.post(
        APP + "/releases",
        content=content,
        headers=BINARY | headers,  # type: ignore[arg-type]
    )


def left(site: Site) -> list[str]:
    return [one.name for one in site.house.broker.archives.iterdir()]


async def test_a_release_is_deployed(both: Site) -> None:
    async with both.working():
        await both.made()
        answer = await both.anna.post(
            APP + "/releases", content=GOOD, headers=BINARY | {"Prefer": "wait=60"}
        )
        assert answer.status_code == 200
        assert answer.json()["phase"] == "complete"
        assert answer.json()["operation"] == "deploy-release"
    items = (await both.anna.get(APP + "/releases")).json()["items"]
    assert [(one["number"], one["active"], one["state"]) for one in items] == [
        (2, True, "ready"),
        (1, False, "ready"),
    ]
    assert set(items[0]) == {"id", "number", "state", "active", "created_at"}
    page = (await both.anna.get(APP + "/releases?limit=1")).json()
    assert [one["number"] for one in page["items"]] == [2]
    page = (await both.anna.get(page["next"])).json()
    assert [one["number"] for one in page["items"]] == [1]
    assert page["next"] is None
    assert left(both) == []


async def test_an_archive_waits_for_its_job_and_is_ours_alone(blog: Site) -> None:
    answer = await blog.anna.post(APP + "/releases", content=GOOD, headers=BINARY)
    assert answer.status_code == 307
    (name,) = left(blog)
    path = blog.house.broker.archives / name
    assert path.read_bytes() == GOOD
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_job_whose_answer_was_lost_has_its_archive(
    blog: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit went through, and the connection broke."""
    submit = SqlJournal.submit

    async def broken(journal: SqlJournal, request: Request, reserve: Reserve) -> Submitted:
        await submit(journal, request, reserve)
        raise Transient("the datastore is away")

    with monkeypatch.context() as patch:
        patch.setattr(SqlJournal, "submit", broken)
        assert_problem(await upload(blog), 503)
    assert len(left(blog)) == 1
    job = await blog.count_jobs()
    async with blog.working():
        assert (await blog.ended(job))["phase"] == "complete"
    assert left(blog) == []


def with_member(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type = kind
        tar.addfile(info)
    return buffer.getvalue()


def bomb() -> bytes:
    """Zeros, which compress to next to nothing."""

    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 64 << 20
        tar.addfile(info, Zeros())  # type: ignore[arg-type]
    return buffer.getvalue()


BROKEN = {
    "nothing of a tar": b"this is not an archive",
    "half of one": GOOD[: len(GOOD) // 2],
    "upwards": with_member("../../etc/passwd"),
    "absolute": with_member("/etc/passwd"),
    "device": with_member("null", tarfile.CHRTYPE),
    "link out": archive({}, {"out": "../../../etc"}),
    "link absolute": archive({}, {"out": "/etc"}),
    "below a link": archive({"a/b": b""}, {"a": "c"}),
}


async def test_archives_that_cannot_be_taken(blog: Site) -> None:
    for kind in BROKEN:
        before = await blog.count_jobs()
        assert_problem(
            await blog.anna.post(APP + "/releases", content=BROKEN[kind], headers=BINARY), 422
        )
        assert left(blog) == []
        assert await blog.count_jobs() == before


async def test_a_bomb_does_not_go_off(blog: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.archives.UNPACKED", 32 << 20)
    answer = await blog.anna.post(APP + "/releases", content=bomb(), headers=BINARY)
    assert_problem(answer, 413)
    assert left(blog) == []


async def test_too_large_by_its_own_word(blog: Site) -> None:
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(blog.url.split(":")[2]))
        token = blog.anna.headers["Authorization"]
        writer.write(
            f"POST /broker/rest{APP}/releases HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: 999999999\r\n\r\n".encode()
        )
        line = await reader.readline()  # before a byte of the body was sent
        writer.close()
    assert b" 413 " in line
    assert left(blog) == []


async def test_too_large_without_a_word(blog: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.api.releases.MOST", 1 << 20)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(1 << 16)

    assert_problem(await blog.anna.post(APP + "/releases", content=chunks(), headers=BINARY), 413)
    assert left(blog) == []


ANOTHER_MEDIA_TYPE = ["application/json", "text/plain", "multipart/form-data", ""]


async def test_another_media_type(blog: Site) -> None:
    for media in ANOTHER_MEDIA_TYPE:
        headers = {"Content-Type": media}
        answer = await blog.anna.post(APP + "/releases", content=GOOD, headers=headers)
        assert_problem(answer, 415)
        assert left(blog) == []


async def test_one_who_hangs_up_leaves_nothing(blog: Site) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", int(blog.url.split(":")[2]))
    token = blog.anna.headers["Authorization"]
    writer.write(
        f"POST /broker/rest{APP}/releases HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 1000\r\n\r\nhalf".encode()
    )
    await writer.drain()
    await until(lambda: left(blog))
    writer.close()
    await until(lambda: not left(blog))


async def test_a_job_that_is_refused_leaves_no_archive(
    blog: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("windlass.store.submission.insert_job", refused)
    assert_problem(await blog.anna.post(APP + "/releases", content=GOOD, headers=BINARY), 500)
    assert left(blog) == []


async def test_the_same_key_and_archive_is_one_job(blog: Site) -> None:
    headers = BINARY | {"Idempotency-Key": "once"}

    async def send(content: bytes = GOOD) -> tuple[int, str]:
        answer = await blog.anna.post(APP + "/releases", content=content, headers=headers)
        return answer.status_code, answer.text

    first, *others = await asyncio.gather(*[send() for _ in range(4)])
    assert first[0] == 307
    assert set(others) == {first}
    assert len(left(blog)) == 1
    other = archive({"app.py": b"print(2)"})
    answer = await blog.anna.post(APP + "/releases", content=other, headers=headers)
    assert_problem(answer, 422, "Idempotency-Key")
    assert len(left(blog)) == 1
    async with blog.working():
        job: Json = await blog.ended(int(first[1].rpartition("/")[2]))
        assert job["phase"] == "complete"
    assert await send() == first
    assert left(blog) == []


async def test_what_failed_to_build_must_be_sent_again(blog: Site) -> None:
    blog.house.broker.nodes[LOCAL].plant("build", "*", "refused", 1)  # type: ignore[attr-defined]
    async with blog.working():
        answer = await blog.anna.post(
            APP + "/releases", content=GOOD, headers=BINARY | {"Prefer": "wait=60"}
        )
    job = answer.json()
    assert job["phase"] == "failed"
    again = await blog.anna.post(f"/jobs/{job['id']}/events", json={"event": "retry"})
    assert_problem(again, 409)
