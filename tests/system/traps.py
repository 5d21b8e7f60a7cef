"""A trap in a PostgreSQL datastore: a worker dies when the so many-th transaction would commit.

It lies in the server, so that it does not matter how statements are sent there: a deferred
trigger waits for a lock that we have, until the worker is dead. Then the commit is undone, or goes
through though nobody hears of it any more.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg

from conftest import PostgresServer, fresh_database
from system.trials import Kill, begun, copied, ended, url_of
from windlass.store.tables import metadata

QUIET = {"workers", "users", "domains", "tokens"}  # beats, and what no job writes
LAY = """
CREATE TABLE trap (at integer);
CREATE SEQUENCE trap_writes;
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('trap.seen', true) IS DISTINCT FROM txid_current()::text THEN
    PERFORM set_config('trap.seen', txid_current()::text, true);
    IF nextval('trap_writes') = (SELECT at FROM trap) THEN
      PERFORM pg_advisory_xact_lock(1);
    END IF;
  END IF;
  RETURN NULL;
END $$;
"""
TRIGGER = """
CREATE CONSTRAINT TRIGGER trap AFTER INSERT OR UPDATE OR DELETE ON {table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap();
"""
CAUGHT = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def lay(url: str) -> None:
    """Lay the trap in a datastore, to be copied with it."""
    one = await asyncpg.connect(url)
    tables = [table.name for table in metadata.sorted_tables if table.name not in QUIET]
    await one.execute(LAY + "".join(TRIGGER.format(table=table) for table in tables))
    await one.close()


class Trapped:
    """Copies of a folder whose datastore is on a server, a trap in each."""

    def __init__(self, server: PostgresServer, base: Path) -> None:
        self.server, self.base = server, base

    async def copied(self, to: Path) -> Path:
        """The folder as it stands, and its datastore."""
        copied(self.base, to)
        old, new = url_of(self.base), await fresh_database(self.server, url_of(self.base))
        assert old != new
        (to / "url").write_text(new)
        return to

    def killed(
        self, folder: Path, kill: Kill, working: Callable[[], Coroutine[Any, Any, None]]
    ) -> bool:
        """Let a child work until it steps into the trap; false if it came to the end alive."""
        with asyncio.Runner() as runner:
            jaws = runner.run(self.set(url_of(folder), kill.at))
            child = begun(working)
            return runner.run(self.watch(jaws, child, kill))

    async def set(self, url: str, at: int) -> asyncpg.Connection:
        jaws = await asyncpg.connect(url)
        await jaws.execute("SELECT pg_advisory_lock(1)")
        await jaws.execute("INSERT INTO trap VALUES ($1)", at)
        return jaws

    async def watch(self, jaws: asyncpg.Connection, child: int, kill: Kill) -> bool:
        """Kill the child in the trap; when this returns, nothing of it is under way."""
        while (status := gone(child)) is None:
            if await jaws.fetchval(CAUGHT):
                break
            await asyncio.sleep(0.002)
        if status is not None:
            await jaws.close()
            return ended(status)
        os.kill(child, signal.SIGKILL)
        await asyncio.to_thread(os.waitpid, child, 0)
        if kill.after:
            await jaws.execute("SELECT pg_advisory_unlock(1)")
        else:
            await jaws.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")
        while await jaws.fetchval(f"SELECT count(*) {OTHERS}"):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        await jaws.execute("DELETE FROM trap")
        await jaws.close()
        return True


def gone(child: int) -> int | None:
    """A child's status, if it has ended."""
    over, status = os.waitpid(child, os.WNOHANG)
    return status if over else None
