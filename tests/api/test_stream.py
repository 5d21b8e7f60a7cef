"""Streams: from the beginning, from the middle, too late, too slow."""

import asyncio

from api.site import PATIENCE, Site, Told
from conftest import until
from windlass.api.watching import ROOM, Feed, Message, Shown, Watcher
from windlass.app import LOCAL
from windlass.engine.journal import Event, EventKind
from windlass.engine.lease import JobId


def whole(told: list[Told]) -> dict[str, object]:
    """The job as one knows it who has heard all this."""
    job: dict[str, object] = {}
    for one in told:
        if one.event in ("snapshot", "end"):
            job = one.data
        elif one.event in ("step", "job"):
            assert "steps" not in one.data["job"]
            steps = {step["number"]: step for step in job.get("steps", [])}  # type: ignore[attr-defined]
            if one.event == "step":
                steps[one.data["step"]["number"]] = one.data["step"]
            job = {**one.data["job"], "steps": [steps[number] for number in sorted(steps)]}
    return job


async def test_a_job_is_told_from_beginning_to_end(both: Site) -> None:
    job = await both.created()
    async with both.watching(job["id"]) as watch:
        first = await watch.next()
        assert first == ("snapshot", "0", job)
        async with both.working():
            told = [first, *await watch.rest()]
    assert told[-1].event == "end"
    assert told[-1].data == await both.job(job["id"])
    assert told[-1].data["phase"] == "complete"
    assert {one.event for one in told} <= {"snapshot", "step", "job", "end"}
    numbers = [int(one.id) for one in told]
    assert numbers == sorted(numbers)
    assert [one.event for one in told].count("end") == 1
    before_end = whole(told[:-1])
    assert [step["state"] for step in before_end["steps"]] == ["done"] * len(  # type: ignore[index, attr-defined]
        told[-1].data["steps"]
    )


async def test_one_who_comes_late_is_told_the_end(both: Site) -> None:
    async with both.working():
        job = await both.made()
    async with both.watching(job["id"]) as watch:
        told = await watch.rest()
    assert [one.event for one in told] == ["snapshot", "end"]
    assert told[0].data == told[1].data == job


async def test_one_who_comes_back_is_told_what_was_missed(both: Site) -> None:
    async with both.working():
        gate = both.gate()
        job = await both.created()
        async with both.watching(job["id"]) as watch:
            told = [await watch.next()]
            await gate.wait()
            while not running(told[-1]):
                told.append(await watch.next())
        last = told[-1].id  # type: ignore[union-attr]
        gate.open()
        await both.ended(job["id"])
    async with both.watching(job["id"], last) as watch:
        missed = await watch.rest()
    assert "snapshot" not in {one.event for one in missed}
    assert missed[-1].event == "end"
    assert {int(one.id) > int(last) for one in missed} == {True}
    known = whole([*told, *missed[:-1]])  # type: ignore[list-item]
    assert known["steps"] == missed[-1].data["steps"]


def running(told: Told | None) -> bool:
    """Whether the step that stands at the gate is told of."""
    assert told is not None
    steps = told.data.get("steps") or [told.data.get("step") or {}]
    return any(step.get("kind") == "build-release" and step["state"] == "running" for step in steps)


AN_UNKNOWN_NUMBER_BEGINS_WITH_A_SNAPSHOT = ["99999", "x", "-1", "9" * 40, "1.5"]


async def test_an_unknown_number_begins_with_a_snapshot(site: Site) -> None:
    job = await site.created()
    for last in AN_UNKNOWN_NUMBER_BEGINS_WITH_A_SNAPSHOT:
        async with site.watching(job["id"], last) as watch:
            assert await watch.next() == ("snapshot", "0", job)


async def test_the_newest_number_after_the_end_is_told_the_end(site: Site) -> None:
    async with site.working():
        job = await site.made()
    async with site.watching(job["id"]) as watch:
        number = (await watch.rest())[-1].id
    async with site.watching(job["id"], number) as watch:
        assert (await watch.rest())[-1] == ("end", number, job)


async def test_what_has_no_event_is_told_too(both: Site) -> None:
    async with both.working():
        gate = both.gate()
        job = await both.created()
        await gate.wait()
        async with both.watching(job["id"]) as watch:
            told = await watch.next()
            assert told is not None
            assert told.data["cancel_asked"] is False
            await both.anna.post(f"/jobs/{job['id']}/events", json={"event": "cancel"})
            while not told.data.get("job", told.data)["cancel_asked"]:
                told = await watch.next()
                assert told is not None
            gate.open()
            assert (await watch.rest())[-1].data["phase"] == "cancelled"


async def test_a_cancelled_one_that_waited_ends(both: Site) -> None:
    job = await both.created()
    async with both.watching(job["id"]) as watch:
        await watch.next()
        await both.anna.post(f"/jobs/{job['id']}/events", json={"event": "cancel"})
        assert (await watch.rest())[-1].event == "end"


async def test_signs_of_life(site: Site) -> None:
    site.front.comment = 0.01
    job = await site.created()
    async with site.watching(job["id"]) as watch:
        await watch.next()
        waiting = asyncio.ensure_future(watch.next())
        await until(lambda: watch.comments > 2)
        await site.anna.post(f"/jobs/{job['id']}/events", json={"event": "cancel"})
        assert await waiting is not None


async def test_many_watch_with_one_reader(site: Site) -> None:
    job = await site.created()
    hub = site.front.hub
    async with asyncio.timeout(PATIENCE):
        async with site.watching(job["id"]) as one, site.watching(job["id"]) as two:
            assert await one.next() == await two.next()
            (feed,) = hub.feeds.values()
            assert len(feed.watchers) == 2
            await site.anna.post(f"/jobs/{job['id']}/events", json={"event": "cancel"})
            assert (await one.rest())[-1] == (await two.rest())[-1]
        await until(lambda: not hub.feeds)


async def test_one_who_hangs_up_is_forgotten(site: Site) -> None:
    job = await site.created()
    async with site.watching(job["id"]) as watch:
        await watch.next()
        assert site.front.hub.feeds
    await until(lambda: not site.front.hub.feeds)


async def test_waiting_for_another_job_is_shown_and_told(site: Site) -> None:
    async with site.working():
        await site.made()
        gate = site.gate("serve")
        there = "/domains/demo/applications/blog/events"
        headers = {"Prefer": "respond-async"}
        first = (await site.anna.post(there, json={"event": "restart"}, headers=headers)).json()
        await gate.wait()
        second = (await site.anna.post(there, json={"event": "stop"}, headers=headers)).json()
        assert second["phase"] == "waiting"
        assert second["waiting_for"] == [first["url"]]
        gate.open()
        async with site.watching(second["id"]) as watch:
            assert (await watch.rest())[-1].data["waiting_for"] == []


async def test_a_try_that_failed_is_told_with_its_reason(site: Site) -> None:
    site.house.broker.nodes[LOCAL].plant("install", "*", "refused", 1)  # type: ignore[attr-defined]
    job = await site.created()
    async with site.watching(job["id"]) as watch, site.working():
        told = await watch.rest()
    assert told[-1].data["phase"] == "failed"
    assert told[-1].data["error"]["text"]
    known = whole(told[:-1])
    assert known["steps"] == told[-1].data["steps"]


# -- without a server ----------------------------------------------------------------------


def shown(number: int, *, ended: bool = False) -> Shown:
    job = {"id": 1, "steps": [{"number": 0}, {"number": 1}], "waiting_for": []}
    return Shown(job, number, ended)


def event(number: int, kind: EventKind, step: int | None = None, **detail: object) -> Event:
    return Event(number, kind, step, 0.0, detail)


def brief(messages: list[Message]) -> list[tuple[str, int]]:
    return [(one.event, one.number) for one in messages]


def test_each_step_is_told_where_its_last_event_stands() -> None:
    events = [
        event(3, EventKind.BEGUN, 0),
        event(4, EventKind.BEGUN, 1),
        event(5, EventKind.LOG, 0, text="hello"),
        event(6, EventKind.DONE, 0),
    ]
    told = shown(6).since(2, events)
    assert brief(told) == [("step", 4), ("log", 5), ("step", 6)]
    assert told[1].data == {"step": 0, "text": "hello"}


def test_a_plan_is_told_as_a_snapshot_that_resuming_brings_again() -> None:
    events = [event(3, EventKind.LOG, 0, text="x"), event(4, EventKind.PLANNED)]
    assert brief(shown(4).since(2, events)) == [("log", 2), ("snapshot", 4)]
    assert brief(shown(4, ended=True).since(4, [])) == [("job", 4), ("end", 4)]


def test_one_who_does_not_read_gets_a_snapshot() -> None:
    feed = Feed(JobId(1), shown(1000))
    watcher = Watcher(feed)
    for number in range(ROOM * 10):
        watcher.put([Message("job", number, {})])
        assert len(watcher.box) <= ROOM
    found = watcher.take()
    assert brief(found[:1]) == [("snapshot", 1000)]
    assert len(found) == 1
    assert watcher.take() == []
    watcher.put([Message("job", 1001, {})])
    assert brief(watcher.take()) == [("job", 1001)]
