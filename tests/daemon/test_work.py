"""`windlassd work`: whoever is told to go goes, the datastore being there or not."""

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from conftest import until
from engine.shop import Stock, Workshop
from windlass.daemon import work
from windlass.daemon.signals import Stop
from windlass.engine.job import Phase
from windlass.store.database import Database
from windlass.store.schema import upgrade


class Gone(BaseException):
    """The process has ended."""


async def test_a_second_signal_ends_a_worker_whose_datastore_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot hand over what it has; its jobs are freed by whoever finds it dead."""

    def gone(code: int) -> None:
        raise Gone(code)

    monkeypatch.setattr(os, "_exit", gone)
    monkeypatch.setattr(work, "LAST_WORDS", 0.1)
    file = tmp_path / "windlass.db"
    await upgrade(f"sqlite:///{file}")
    workshop = Workshop(Database(f"sqlite:///{file}"))
    workshop.shop.gates["put a"] = asyncio.Event()
    job = await workshop.submit(Stock("s1", "put a"))
    worker, stop = workshop.worker(), Stop()
    obeying = asyncio.ensure_future(work.obey(worker, stop))
    working = asyncio.ensure_future(worker.run())
    await until(lambda: workshop.shop.acts)
    away = sqlite3.connect(file, isolation_level=None)
    away.execute("BEGIN IMMEDIATE")
    stop.ask()
    stop.ask()
    await asyncio.wait({obeying}, timeout=60)
    with pytest.raises(Gone, match=str(os.EX_TEMPFAIL)):
        obeying.result()
    assert not working.done()
    away.rollback()
    await working
    assert await workshop.phase(job) is Phase.RETRYING
    await workshop.journal.close()
    await workshop.database.close()
