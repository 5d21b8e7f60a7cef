"""A whole broker in this process, on a real datastore and a pretended node."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from conftest import until
from windlass.app import LOCAL, open_broker, worker_of
from windlass.broker import Broker
from windlass.engine.job import Asker, Phase, Request
from windlass.engine.lease import JobId
from windlass.engine.operation import Operation
from windlass.model.accounts import User
from windlass.model.applications import Application, Domain
from windlass.model.ids import AppId, app_id, change_id, release_id, user_id
from windlass.operations.actions import (
    DumpThreads,
    ForceStop,
    ReloadApplication,
    TidyApplication,
)
from windlass.operations.aliases import AddAlias
from windlass.operations.applications import CreateApplication, DeleteApplication
from windlass.operations.health import ConfigureHealth
from windlass.operations.lifecycle import RestartApplication, StartApplication, StopApplication
from windlass.operations.releases import DeployRelease
from windlass.operations.scaling import BoundScaling, ScaleApplication
from windlass.operations.variables import SetVariables
from windlass.settings import Settings
from windlass.store.jobs import View
from windlass.store.tables import holds, metadata

SOURCE = b"""
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"deployed"]
"""
EVENTS = {
    "start": StartApplication,
    "stop": StopApplication,
    "restart": RestartApplication,
    "reload": ReloadApplication,
    "force-stop": ForceStop,
    "tidy": TidyApplication,
    "thread-dump": DumpThreads,
}


def settings_for(folder: Path, database_url: str) -> Settings:
    return Settings(data=folder, database=database_url, node=f"file:{folder / 'node'}")


class House:
    """A broker, a user, and the requests that a test makes."""

    def __init__(self, broker: Broker, settings: Settings) -> None:
        self.broker = broker
        self.settings = settings
        self.user = User(user_id(), "anna", False, 10, 20)
        self.domain: Domain

    async def furnish(self) -> None:
        await self.broker.store.accounts.add(self.user, "no password")
        self.domain = await self.broker.store.domains.add("demo", self.user)

    async def ask(self, operation: Operation[Any], delay: float = 0.0) -> JobId:
        anna, demo = Asker("anna"), {"domain": "demo"}
        request = Request(operation, self.user.id, anna, demo, delay=delay)
        return (await self.broker.submit(request)).job

    def creation(self, name: str = "blog", size: str = "small") -> CreateApplication:
        domain, id = self.domain, app_id()
        return CreateApplication(domain.id, domain.name, self.user.id, id, name, "python", size)

    def scaling(self, application: AppId, to: int | None = None, by: int = 0) -> ScaleApplication:
        return ScaleApplication(self.domain.id, application, "blog", to, by)

    def bounding(self, application: AppId, least: int, most: int) -> BoundScaling:
        return BoundScaling(self.domain.id, application, "blog", least, most)

    def configuration(self, id: AppId, path: str | None, grace: float | None) -> ConfigureHealth:
        return ConfigureHealth(self.domain.id, id, "blog", path, grace)

    def event(self, application: AppId, event: str) -> Operation[Any]:
        return EVENTS[event](self.domain.id, application, "blog")

    ALIAS = "www.example.com"

    def alias(self, application: AppId) -> AddAlias:
        return AddAlias(self.domain.id, application, "blog", self.ALIAS)

    def deletion(self, application: AppId) -> DeleteApplication:
        return DeleteApplication(self.domain.id, application, "blog")

    def deployment(self, application: AppId) -> DeployRelease:
        release = release_id()
        with tarfile.open(self.broker.archive(release), "w") as archive:
            member = tarfile.TarInfo("app.py")
            member.size = len(SOURCE)
            archive.addfile(member, io.BytesIO(SOURCE))
        return DeployRelease(self.domain.id, application, "blog", release)

    async def setting(self, application: AppId, **change: str | None) -> SetVariables:
        id, names = change_id(), tuple(sorted(change))
        await self.broker.store.variables.set_aside(id, application, change)
        return SetVariables(self.domain.id, application, "blog", id, names)

    async def ended(self, job: JobId) -> View:
        async def view() -> View | None:
            found = await self.broker.store.jobs.get(job)
            return found if found and found.phase.ended else None

        return await until(view)  # type: ignore[no-any-return]

    async def done(self, operation: Operation[Any]) -> View:
        view = await self.ended(await self.ask(operation))
        assert view.phase is Phase.COMPLETE, view.trouble
        return view

    async def application(self, id: AppId) -> Application | None:
        return await self.broker.store.applications.get(id)

    async def counts(self) -> dict[str, int]:
        """How many rows each table has, but for those that stay by design."""
        stay = {"jobs", "events", "users", "domains", "roots", "workers", "intents", "keys"}
        stay |= {"counters"}
        found = {}
        async with self.broker.store.database.read() as connection:
            for table in metadata.sorted_tables:
                if table.name not in stay:
                    query = select(func.count()).select_from(table)
                    if table is holds:  # but for the domain's
                        query = query.where(~holds.c.kind.startswith("domain"))
                    found[table.name] = (await connection.execute(query)).scalar_one()
        return found

    async def is_empty(self) -> bool:
        """Nothing of any application is left, in the datastore and on the node."""
        gears = await self.broker.nodes[LOCAL].gears()
        return not any((await self.counts()).values()) and not gears


@asynccontextmanager
async def house_in(settings: Settings) -> AsyncIterator[House]:
    broker = await open_broker(settings)
    house = House(broker, settings)
    await house.furnish()
    try:
        yield house
    finally:
        await broker.close()


@asynccontextmanager
async def working(house: House) -> AsyncIterator[None]:
    """A worker in this process."""
    worker = worker_of(house.broker, house.settings)
    task = asyncio.ensure_future(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await task
