"""What every handler works with: the broker, what is shared, and records made whole for JSON."""

import asyncio
from collections.abc import Sequence

from windlass.api import wire
from windlass.api.passwords import Passwords
from windlass.api.watching import Hub
from windlass.api.wire import Beside, Json, Names, Urls
from windlass.broker import Broker
from windlass.engine.lease import JobId
from windlass.model.applications import Application
from windlass.settings import Settings
from windlass.store.access import Access
from windlass.store.jobs import View
from windlass.store.summary import Summary

JUDGED = 2  # archives at once: each keeps a processor busy
COMMENT = 15.0  # seconds between signs of life in a stream


class Front:
    """One for each process that serves."""

    def __init__(self, broker: Broker, settings: Settings) -> None:
        self.broker, self.settings = broker, settings
        self.urls = Urls(settings)
        self.summary = Summary(Access(broker.store.database))
        self.passwords = Passwords(broker.store.accounts)
        self.hub = Hub(broker.store.database, broker.store.jobs, self.summary, self.job)
        self.judging = asyncio.Semaphore(JUDGED)
        self.placing = asyncio.Lock()
        self.comment = COMMENT

    async def job(self, view: View) -> Json:
        """A job as JSON."""
        return (await self.jobs([view]))[0]

    async def jobs(self, views: Sequence[View]) -> list[Json]:
        """Jobs as JSON, with two reads however many they are."""
        if not views:
            return []
        subjects = {view.subject.get("application_id", "") for view in views} - {""}
        names = Names(
            logins=await self.summary.logins({view.owner for view in views}),
            present=await self.summary.present(subjects) if subjects else {},
        )
        return [wire.job(view, names, self.urls) for view in views]

    async def job_now(self, id: JobId) -> Json:
        """A job that was accepted just now."""
        view = await self.broker.store.jobs.get(id)
        assert view is not None, "a job stays for days after its end"
        return await self.job(view)

    async def applications(self, found: Sequence[Application]) -> list[Json]:
        """Applications as JSON, as they are stored."""
        if not found:
            return []
        numbers = await self.summary.numbers({one.release for one in found if one.release})
        ids = {one.id for one in found}
        jobs, gears = await self.summary.under_way(ids), await self.summary.gears(ids)
        aliases = await self.summary.aliases(ids)
        beside = [
            Beside(
                numbers.get(one.release or ""),
                jobs.get(one.id),
                gears.get(one.id, 0),
                aliases.get(one.id, ()),
            )
            for one in found
        ]
        return [
            wire.application(one, more, self.urls) for one, more in zip(found, beside, strict=True)
        ]

    async def close(self) -> None:
        """End what runs for everybody."""
        await self.hub.close()
