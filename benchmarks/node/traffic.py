"""The router's traffic: how much goes through, and what a gear that dies costs."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.node.parts.load import HOST
from benchmarks.node.place import Place
from benchmarks.node.ports import free_port
from benchmarks.processes import Failed, Process, until
from benchmarks.readings import Reading

CONNECTIONS = 32
SECONDS, QUICK_SECONDS = 5.0, 1.0
TICKS = os.sysconf("SC_CLK_TCK")
BACK = re.compile(r"instance\.back .*?\bmet=(\d+)")


def through(place: Place, proxy: str, method: str) -> Reading:
    """Requests a second through a proxy to one instance that costs nothing."""
    port, upstream = free_port(), free_port()
    with place.server("upstream", upstream), started(place, proxy, port, [upstream]) as process:
        load(place, port, method, QUICK_SECONDS)  # what it does only once is done
        before = busy(process)
        loaded = load(place, port, method, QUICK_SECONDS if place.quick else SECONDS)
        spent = busy(process) - before
    answers = loaded["answers"].pop("200", 0)
    if loaded["answers"]:
        raise Failed(f"{proxy}: not every request was answered well: {loaded['answers']}")
    return Reading(answers / loaded["seconds"], {"cpu_us": 1e6 * spent / loaded["all"]})


def sick(place: Place) -> Reading:
    """Failed connects that requests met at one of three gears, after the first of them."""
    port, upstreams = free_port(), [free_port() for _ in range(3)]
    with ExitStack() as stack:
        dies, *stay = upstreams
        for one in stay:
            stack.enter_context(place.server("upstream", one))
        with started(place, "router", port, upstreams) as process:
            with place.server("upstream", dies):
                check(load(place, port, "GET", 0.5, connections=3))
            check(load(place, port, "GET", QUICK_SECONDS if place.quick else SECONDS, 1))
            with place.server("upstream", dies):
                until(lambda: BACK.search(process.log.read_text()) is not None, process, 10)
                check(load(place, port, "GET", 0.5, connections=3))
        found = BACK.findall(process.log.read_text())
    return Reading(sum(map(int, found)) - len(found), {"sicknesses": len(found)})


def check(loaded: Any) -> None:
    """Failed unless every request was answered well."""
    if loaded["answers"].keys() != {"200"}:
        raise Failed(f"not every request was answered well: {loaded['answers']}")


@contextmanager
def started(place: Place, proxy: str, port: int, upstreams: list[int]) -> Iterator[Process]:
    """A proxy before these upstreams."""
    addresses = [f"127.0.0.1:{one}" for one in upstreams]
    if proxy == "bare":
        with place.server("bare", port, *addresses) as process:
            yield process
        return
    data: Path = place.new()
    place.part("furnish", f"sqlite:///{data}/windlass.db", HOST, *addresses)
    with place.router(data, port) as process:
        yield process


def load(
    place: Place, port: int, method: str, seconds: float, connections: int = CONNECTIONS
) -> Any:
    """What so many clients got in so many seconds."""
    return json.loads(place.part("load", str(port), method, str(connections), str(seconds)))


def busy(process: Process) -> float:
    """Seconds of processor that it has used."""
    fields = Path(f"/proc/{process.popen.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
