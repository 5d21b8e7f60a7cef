"""A server out of reach: asked nothing, knocked at, and back by itself."""

import asyncio

import pytest

from conftest import until
from windlass.errors import Transient
from windlass.queues import reach
from windlass.queues.reach import Reach


class Door:
    """Somebody is in, or not."""

    def __init__(self) -> None:
        self.open, self.calls, self.knocks = True, 0, 0
        self.reach = Reach("the door", self.knock, (OSError,))

    async def call(self) -> str:
        self.calls += 1
        return self.answer()

    async def knock(self) -> None:
        self.knocks += 1
        self.answer()

    def answer(self) -> str:
        if not self.open:
            raise ConnectionRefusedError("nobody\nis in")
        return "hello"


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(reach, "FIRST", 0.001)
    return Door()


async def test_while_it_is_here_calls_go_through(door: Door) -> None:
    assert await door.reach.call(door.call) == "hello"
    assert door.knocks == 0


async def test_while_it_is_away_nothing_is_asked_and_the_reason_is_told(door: Door) -> None:
    door.open = False
    for _ in range(5):
        with pytest.raises(Transient, match=r"^the door is away: nobody$"):
            await door.reach.call(door.call)
    assert door.calls == 1
    await door.reach.close()


async def test_it_comes_back_by_itself(door: Door) -> None:
    door.open = False
    with pytest.raises(Transient):
        await door.reach.call(door.call)
    await until(lambda: door.knocks > 2)
    door.open = True
    await until(lambda: door.reach.why is None)
    assert await door.reach.call(door.call) == "hello"


async def test_other_errors_are_not_its_business(door: Door) -> None:
    async def wrong() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        await door.reach.call(wrong)
    assert await door.reach.call(door.call) == "hello"


async def test_the_pauses_grow_and_have_an_end(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        door.open = len(pauses) > 8

    monkeypatch.setattr(reach, "FIRST", 0.1)
    monkeypatch.setattr("windlass.queues.reach.random.uniform", lambda _, most: most)
    door.open = False
    with pytest.raises(Transient):
        await door.reach.call(door.call)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert door.reach.mending is not None
    await door.reach.mending
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])


async def test_after_the_end_nobody_knocks(door: Door) -> None:
    await door.reach.close()
    door.open = False
    with pytest.raises(Transient):
        await door.reach.call(door.call)
    assert door.reach.mending is None
