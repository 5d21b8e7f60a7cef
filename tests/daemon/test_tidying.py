"""Housekeeping on nodes, as a worker does it."""

from pathlib import Path

from conftest import until
from system.house import House, house_in, settings_for, working
from windlass.app import LOCAL
from windlass.daemon.tidying import stop_full
from windlass.model.applications import AppState
from windlass.nodes.pretend import PretendNode
from windlass.store.jobs import Filter


async def test_an_application_that_fills_its_disk_is_stopped_once(
    tmp_path: Path, database_url: str
) -> None:
    async with house_in(settings_for(tmp_path, database_url)) as house, working(house):
        creation = house.creation()
        await house.done(creation)
        await stop_full(house.broker)
        assert await stops(house) == 0
        node, store = house.broker.nodes[LOCAL], house.broker.store
        assert isinstance(node, PretendNode)
        [gear] = await store.fleet.gears(creation.application)
        node.plant("over", gear.gear.id, "full")
        await stop_full(house.broker)
        await stop_full(house.broker)

        async def stopped() -> bool:
            application = await store.applications.get(creation.application)
            return application is not None and application.state is AppState.STOPPED

        await until(stopped)
        await stop_full(house.broker)  # one that does not run is let be
        assert await stops(house) == 1


async def stops(house: House) -> int:
    return len(await house.broker.store.jobs.page(Filter(kind="stop-full")))
