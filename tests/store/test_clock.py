"""One clock: what is written in the datastore has the datastore's time, whatever ours says."""

import time

import pytest
from sqlalchemy import Float, insert, select

from engine.shop import Stock, Workshop
from windlass.engine.job import Asker, Phase
from windlass.engine.journal import End
from windlass.model.accounts import User
from windlass.model.ids import app_id, release_id, user_id
from windlass.store.store import Store
from windlass.store.tables import holds, jobs, metadata

OURS = 1000.0  # seconds since 1970, says a clock that nobody has set
OPERATOR = Asker("operator")
OF_OTHERS = {jobs.c.created}  # when it was asked


async def people_and_what_they_have(store: Store) -> None:
    anna = User(user_id(), "anna", False, 10, 20)
    await store.accounts.add(anna, "no password")
    token = await store.accounts.add_token(anna.id, b"digest", "", "full", 3600)
    assert token.expires - token.created == pytest.approx(3600, abs=10)
    assert await store.accounts.bearer(b"digest") is not None
    assert await store.accounts.tokens(anna.id) == [token]
    domain, blog = await store.domains.add("demo", anna), app_id()
    assert await store.domains.get(domain.id) == domain
    async with store.database.write() as transaction:
        await transaction.execute(
            insert(holds).values(key="x", resource=blog, kind="name", amount=1)
        )
        inside = Store(store.database, inside=transaction)
        await inside.applications.add(blog, "x", domain.id, "blog", "python")
    await store.applications.add_release(blog, release_id())


async def jobs_and_what_is_said_of_them(workshop: Workshop) -> None:
    journal, crew = workshop.journal, workshop.worker().crew
    queued, buried = [await workshop.submit(Stock(f"s{n}", "put a")) for n in range(2)]
    await journal.cancel(queued, OPERATOR, None)
    await journal.enlist(crew)
    (claimed,) = await journal.claim(crew, ["default"], 1)
    assert await journal.pass_no_return(claimed.lease)
    await journal.settle(claimed.lease, [], End(Phase.BURIED, None))
    await journal.discard(buried, OPERATOR, "given up")


async def test_whatever_our_clock_says_the_datastores_time_is_written(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: OURS)
    await people_and_what_they_have(Store(workshop.database))
    await jobs_and_what_is_said_of_them(workshop)
    times = [
        column
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Float) and column is not jobs.c.percent
    ]
    ours, told = set(), set()
    async with workshop.database.read() as connection:
        for column in times:
            found = await connection.execute(select(column).where(column.is_not(None)))
            for at in found.scalars():
                (ours if at == OURS else told).add(str(column))
    assert ours <= {str(column) for column in OF_OTHERS}
    names = "users.created tokens.created tokens.expires domains.created applications.created"
    names += " releases.created workers.since intents.at jobs.started jobs.ended"
    assert told >= set(names.split())
