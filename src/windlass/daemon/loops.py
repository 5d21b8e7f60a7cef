"""The event loop of our processes: uvloop's, in a process whose start-up stays out of the way."""

import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

YOUNG = 20_000  # objects between looks at the young: two hundred jobs in hand come to as many

T = TypeVar("T")


def run_for_long(main: Coroutine[Any, Any, T]) -> T:
    """Run until this ends; what is loaded by now stays for good and is not looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)
    return uvloop.run(main)
