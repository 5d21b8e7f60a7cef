"""What the figures were taken on: the machine and the versions; no names and no paths."""

import json
import os
import platform
import statistics
import subprocess
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from benchmarks.bench import WINDLASS, Bench
from benchmarks.machine import machine
from benchmarks.stores import Store

OURS = ("windlass", "sqlalchemy", "asyncpg", "msgspec", "greenstalk", "redis", "uvloop")
THEIRS = (
    "procrastinate",
    "pgqueuer",
    "dbos",
    "huey",
    "rq",
    "dramatiq",
    "celery",
    "asyncpg",
    "psycopg",
    "redis",
    "hiredis",
    "uvloop",
)
VERSIONS = """
import importlib.metadata as m, json, platform, sqlite3
print(json.dumps({"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    | {d.name.lower(): d.version for d in m.distributions()}))
"""


def facts(bench: Bench) -> dict[str, Any]:
    """Everything that is to be known of a run."""
    return {
        **machine(),
        "fdatasync_us": round(sync_time(bench.folder)),
        "servers": servers(bench),
        "windlass": ours(),
        "others": theirs(),
    }


def sync_time(folder: Path) -> float:
    """Microseconds of a write of 8 KiB and its fdatasync, at the median."""
    took = []
    path = folder / "sync"
    with path.open("wb", buffering=0) as file:
        for _ in range(300):
            began = time.perf_counter()
            file.write(b"x" * 8192)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return 1e6 * statistics.median(took)


def servers(bench: Bench) -> dict[str, str]:
    """The versions of what we started."""
    with bench.admin() as server, Store(bench.redis.url) as redis:
        return {
            "postgresql": server.text("SHOW server_version"),
            "redis": str(redis.redis.info("server")["redis_version"]),
            "beanstalkd": printed("beanstalkd", "-v"),
        }


def ours() -> dict[str, str]:
    """The versions of what we run on."""
    found = json.loads(printed(WINDLASS, "-c", VERSIONS))
    return {name: found[name] for name in ("python", "sqlite", *OURS) if name in found}


def theirs() -> dict[str, str]:
    """The versions of the other engines and their drivers."""
    there = {one.name.lower(): one.version for one in distributions()}
    versions = {name: there[name] for name in THEIRS if name in there}
    return {"python": platform.python_version()} | versions


def printed(*argv: str) -> str:
    """What a command prints."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip()
