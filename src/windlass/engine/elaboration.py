"""Elaborating: an operation as a plan of stored steps."""

from typing import Any

from windlass.engine.operation import Operation, Step
from windlass.errors import Refused

MOST = 1000  # steps of one job


async def elaborate(operation: Operation[Any], world: Any) -> list[dict[str, Any]]:
    """The steps of a plan as JSON types, each with its stage.

    Raises Refused where a stage mixes one-way and reversible steps: half of it could not be
    taken back.
    """
    rows: list[dict[str, Any]] = []
    stage = 0
    async for found in operation.elaborate(world):
        steps = found if isinstance(found, tuple) else (found,)
        if len({step.one_way for step in steps}) > 1:
            raise Refused(f"a stage of {operation.kind} mixes one-way and reversible steps")
        rows += [stored(step, stage) for step in steps]
        stage += bool(steps)
        if len(rows) > MOST:
            raise Refused(f"{operation.kind} comes to more than {MOST} steps")
    return rows


def stored(step: Step[Any], stage: int) -> dict[str, Any]:
    """A step as it is kept."""
    return {
        "stage": stage,
        "kind": step.kind,
        "version": step.version,
        "data": step.data(),
        "title": step.title,
        "one_way": step.one_way,
    }
