"""Tries share a timer, and yet each has its own time."""

import asyncio

from windlass.engine.steplog import LINES, say
from windlass.engine.tries import Tries


def unheard(step: int, line: str) -> None:
    """Nobody listens."""


async def test_a_try_has_its_own_time_whatever_the_timer_was_set_for() -> None:
    with Tries(unheard) as tries:
        assert await tries.once(0, asyncio.sleep(0), 0.05) is None
        assert await tries.once(1, asyncio.sleep(0.2), 60) is None  # the timer rings meanwhile
        assert "longer than 0.05" in str(await tries.once(2, asyncio.sleep(60), 0.05))
        assert "longer than 0.1" in str(await tries.once(3, asyncio.sleep(60), 0.1))
        assert await tries.once(4, asyncio.sleep(0), 60) is None


async def test_between_tries_and_after_them_nobody_is_cancelled() -> None:
    with Tries(unheard) as tries:
        await tries.once(0, asyncio.sleep(0), 0.05)
        await asyncio.sleep(0.1)
        await tries.once(1, asyncio.sleep(0), 0.05)
    await asyncio.sleep(0.1)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_step_is_heard_while_it_runs_and_each_try_has_its_own_room() -> None:
    heard: list[tuple[int, str]] = []

    async def talk(lines: int) -> None:
        say("\n".join("word" for _ in range(lines)))

    with Tries(lambda step, line: heard.append((step, line))) as tries:
        say("before")
        await tries.once(0, talk(LINES + 5), 60)
        say("between")
        await tries.once(1, talk(1), 60)
    say("after")
    assert [line for step, line in heard if step == 0][-1].startswith("... more than")
    assert len(heard) == LINES + 1
    assert heard[-1] == (1, "word")


async def test_what_a_try_leaves_behind_does_not_speak_for_the_next() -> None:
    heard: list[tuple[int, str]] = []
    go, left = asyncio.Event(), []

    async def late() -> None:
        await go.wait()
        say("late")

    async def leave() -> None:
        left.append(asyncio.create_task(late()))

    async def see() -> None:
        go.set()
        await left[0]
        say("in time")

    with Tries(lambda step, line: heard.append((step, line))) as tries:
        await tries.once(0, leave(), 60)
        await tries.once(1, see(), 60)
    assert heard == [(1, "in time")]
