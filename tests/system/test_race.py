"""The impatient user: create and delete of one application at the same moment."""

import asyncio

from system.house import House, working
from windlass.engine.job import Phase

ROUNDS = 25  # in each order of asking


async def test_create_and_delete_at_once(house: House) -> None:
    async with working(house):
        for round in range(2 * ROUNDS):
            creation = house.creation(f"app{round}")
            deletion = house.deletion(creation.application)
            asked = [creation, deletion] if round % 2 else [deletion, creation]
            jobs = await asyncio.gather(*map(house.ask, asked))
            ended = {view.kind: view for view in [await house.ended(job) for job in jobs]}
            created, deleted = ended["create-application"], ended["delete-application"]
            assert deleted.phase is Phase.COMPLETE, deleted.trouble
            application = await house.application(creation.application)
            if created.id > deleted.id:
                assert created.phase is Phase.COMPLETE, created.trouble
                assert application is not None
                await house.done(house.deletion(creation.application))
            else:
                assert created.phase in (Phase.CANCELLED, Phase.COMPLETE), created.trouble
                assert application is None
    assert await house.is_empty()


async def test_many_at_once_on_one_application(house: House) -> None:
    """Whatever is asked at the same moment goes one after the other, and the delete wins."""
    creation = house.creation()
    id = creation.application
    async with working(house):
        await house.done(creation)
        events = [house.event(id, name) for name in ("restart", "stop", "start", "restart")]
        jobs = await asyncio.gather(*map(house.ask, [*events, house.deployment(id)]))
        gone = await house.ask(house.deletion(id))
        for job in jobs:
            assert (await house.ended(job)).phase in (Phase.COMPLETE, Phase.CANCELLED)
        assert (await house.ended(gone)).phase is Phase.COMPLETE
    assert await house.is_empty()
