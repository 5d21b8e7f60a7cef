"""The engine as a library: the example, run as its reader would."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from windlass.embedded import Engine
from windlass.engine.hooks import Hooks
from windlass.engine.job import Phase, Request
from windlass.engine.lease import JobId, Lease
from windlass.engine.operation import Plan, Step
from windlass.engine.record import StepRow
from windlass.errors import NotFound, Refused

BAKERY = Path(__file__).parents[1] / "examples/extend/bakery.py"
PAGE = Path(__file__).parents[1] / "docs/habits.md"


@pytest.fixture(scope="module")
def bakery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bakery", BAKERY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bakery"] = module
    spec.loader.exec_module(module)
    return module


async def test_an_order_is_carried_out_or_taken_back(
    bakery: ModuleType, database_url: str, tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    engine = await Engine.open(database_url, bakery.Bakery(counter))
    good = await engine.submit(bakery.OrderCake("lemon", "Hello"))
    bad = await engine.submit(bakery.OrderCake("chocolate", also="gravel"))
    with pytest.raises(Refused, match="is a word"):
        await engine.submit(bakery.OrderCake("4711"))
    views = await engine.finish(good, bad)
    assert [view.phase for view in views] == [Phase.COMPLETE, Phase.FAILED]
    assert [file.name for file in counter.iterdir()] == ["lemon.cake"]
    assert (counter / "lemon.cake").read_text() == "Hello"
    with pytest.raises(NotFound):
        await engine.job(bad + 1)
    await engine.close()


async def test_priorities_keys_and_delays_are_there(bakery: ModuleType, tmp_path: Path) -> None:
    engine = await Engine.open(f"sqlite:///{tmp_path / 'b.db'}", bakery.Bakery(tmp_path))
    order = bakery.OrderCake("plum")
    job = await engine.submit(order, "anna", key="once", priority=0, delay=0.2)
    assert await engine.submit(order, "anna", key="once") == job
    assert (await engine.job(job)).phase is Phase.DELAYED
    assert [view.phase for view in await engine.finish(job)] == [Phase.COMPLETE]
    await engine.close()


async def test_the_example_of_the_page_is_true(bakery: ModuleType, tmp_path: Path) -> None:
    example = PAGE.read_text().partition("```python\n")[2].partition("```")[0]
    exec(example, names := {"Engine": Engine, **vars(bakery)})
    await names["test_a_cake_is_baked"](tmp_path)


async def test_all_is_worked_off(bakery: ModuleType, database_url: str, tmp_path: Path) -> None:
    """Whatever the tube; but not what is not due, and not what waits for an operator."""

    @dataclass(frozen=True)
    class OrderTart(bakery.OrderCake):  # type: ignore[name-defined, misc]
        tube: ClassVar[str] = "tarts"

    @dataclass(frozen=True)
    class Eat(Step[Any]):
        one_way: ClassVar[bool] = True

        async def do(self, world: Any) -> None:
            raise Refused("nobody is hungry")

    @dataclass(frozen=True)
    class EatCake(bakery.OrderCake):  # type: ignore[name-defined, misc]
        async def elaborate(self, world: Any) -> Plan[Any]:
            yield Eat()

    engine = await Engine.open(database_url, bakery.Bakery(tmp_path))
    plum, tart = bakery.OrderCake("plum"), OrderTart("cherry")
    done = [await engine.submit(plum), await engine.submit(plum), await engine.submit(tart)]
    eaten, behind = await engine.submit(EatCake("nut")), await engine.submit(OrderTart("nut"))
    later = await engine.submit(plum, delay=3600)
    assert await engine.finish() == []
    phases = [(await engine.job(job)).phase for job in (*done, eaten, behind, later)]
    assert phases == ["complete"] * 3 + ["buried", "waiting", "delayed"]
    await engine.close()


class Waiter(Hooks):
    """Knows each order before the kitchen does."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def before_submit(self, request: Request) -> None:
        self.heard.append(f"before {request.operation.data()['flavour']}")

    async def after_submit(self, job: JobId, request: Request) -> None:
        self.heard.append(f"after {job}")

    async def before_try(self, lease: Lease, step: StepRow) -> None:
        self.heard.append(step.title)


async def test_hooks_hear_of_both_ends(bakery: ModuleType, tmp_path: Path) -> None:
    waiter, world = Waiter(), bakery.Bakery(tmp_path)
    engine = await Engine.open(f"sqlite:///{tmp_path / 'b.db'}", world, hooks=waiter)
    await engine.finish(await engine.submit(bakery.OrderCake("plum")))
    assert waiter.heard == ["before plum", "after 1", "Bake", "Decorate"]
    await engine.close()


def test_the_example_runs_as_it_says(tmp_path: Path) -> None:
    def bakery(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, str(BAKERY), *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == code, done.stderr
        return done.stderr if code else done.stdout

    assert bakery("order", "lemon").strip() == "1"
    assert bakery("show", "1").startswith("ready")
    assert bakery("order", "4711", code=1) == "a flavour is a word\n"
    assert bakery("show", "99", code=1) == "there is no job 99\n"
    assert bakery("boil", code=1).startswith("usage: ")
