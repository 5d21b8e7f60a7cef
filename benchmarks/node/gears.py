"""Gears: how soon a new application answers, and what a hundred of them cost the broker."""

import itertools
import subprocess
import time
from pathlib import Path

from benchmarks.node.installation import Installation, status_of
from benchmarks.node.place import Place
from benchmarks.node.ports import free_port
from benchmarks.processes import Failed, children, until
from benchmarks.readings import Reading

FIRST = 60.0  # seconds until the first answer
LOOK = 0.005  # seconds between two looks for it
HUNDRED = 100
numbers = itertools.count()


def create(place: Place) -> Reading:
    """Seconds from asking for an application until it answers 200 at its own host name.

    As before the server by hand, one is made first: neither meets what has cooled down meanwhile.
    """
    there = place.installation
    warm, name = f"a{next(numbers)}", f"a{next(numbers)}"
    there.done(there.create(warm))
    there.delete(warm)
    began = time.perf_counter()
    job = there.create(name)
    until(lambda: there.status(name) == 200, there.up, FIRST, LOOK)
    took = time.perf_counter() - began
    steps = there.done(job)["steps"]
    there.delete(name)
    return Reading(took, {"steps": {one["kind"]: one["seconds"] for one in steps}})


def by_hand(place: Place) -> Reading:
    """Seconds until the same server, started in bubblewrap by hand, answers 200."""
    there = place.installation
    name = f"a{next(numbers)}"
    there.done(there.create(name))
    [record] = (there.data / "supervisor" / "programs").glob("g*.json")
    port = free_port()
    argv = by_hand_argv(record, port)
    began = time.perf_counter()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: status_of("127.0.0.1", port, "x") == 200, None, FIRST, LOOK)
            took = time.perf_counter() - began
        finally:
            server.kill()
    there.delete(name)
    return Reading(took)


def by_hand_argv(record: Path, port: int) -> list[str]:
    """bubblewrap with what an instance's record says, but at a port of this machine."""
    entries = [one.partition("=") for one in record.read_text().split("\0") if one]

    def told(name: str) -> list[str]:
        return [value for key, _, value in entries if key == name]

    argv = ["bwrap", *told("bwrap")]
    for how, source, target in zip(told("how"), told("source"), told("target"), strict=True):
        argv += [how, source, target]
    own = {"HOST": "127.0.0.1", "PORT": str(port)}
    for name, _, value in (one.partition("=") for one in told("env")):
        argv += ["--setenv", name, own.get(name, value)]
    return [*argv, "--chdir", *told("directory"), "--", *told("argv")]


def hundred(place: Place) -> Reading:
    """MiB of the broker (API and worker) with a hundred gears that answer; and of the router."""
    there, count = place.installation, 10 if place.quick else HUNDRED
    there.tool("user", "limits", "admin", "--gears", str(2 * count), "--storage", "1000")
    there.done(there.create("many"))
    path = "/domains/demo/applications/many"
    there.done(there.call("PUT", f"{path}/cartridges/python", {"scales_to": count}))
    began = time.perf_counter()
    there.done(there.call("POST", f"{path}/events", {"event": "scale-up", "to": count}))
    took = time.perf_counter() - began
    up = there.call("GET", path)["instances"]
    if sum(one["state"] == "up" for one in up) != count:
        raise Failed(f"{len(up)} gears, and not all answer")
    broker = sum(mebibytes(pid) for pid in children(there.up.popen.pid))
    router = sum(mebibytes(pid) for pid in routers(there))
    there.delete("many")
    return Reading(broker, {"router": router, "gears": count, "seconds": round(took, 1)})


def mebibytes(pid: int) -> float:
    """The memory that a process has for itself, and its share of what it shares."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise Failed(f"process {pid} is gone")


def routers(there: Installation) -> list[int]:
    """The router's process, which has another parent than the broker."""
    mine = f"WINDLASS_DATA={there.data}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            routes = path.joinpath("cmdline").read_bytes().endswith(b"\0route\0")
            if routes and mine in path.joinpath("environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
        except OSError:
            continue  # it has just ended
    return found
