"""The two commands that every engine's file has."""

import os
import sys
from collections.abc import Callable

URL = os.environ.get("BENCH_URL", "")  # of the store; set for the processes that fill and drain


def serve(fill: Callable[..., None], drain: Callable[..., None]) -> None:
    """Run the command that was asked for, with its arguments."""
    command, *arguments = sys.argv[1:]
    {"fill": fill, "drain": drain}[command](*map(int, arguments))
