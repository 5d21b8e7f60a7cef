"""The operator's word on what users may have."""

from windlass.daemon.user import limited
from windlass.model.accounts import User
from windlass.model.ids import user_id
from windlass.settings import Settings
from windlass.store.database import Database
from windlass.store.store import Store


async def test_limits_are_told_and_set(tmp_path, database_url):
    settings = Settings(data=tmp_path, database=database_url)
    database = Database(database_url)
    store = Store(database)
    anna = User(user_id(), "anna", False, 3, 20)
    await store.accounts.add(anna, "no password")
    await store.domains.add("demo", anna)
    assert await limited(settings, "anna", {}) == [
        "gears    0 of 20", "domains  1 of 3", "storage  0 of 100",
    ]  # fmt: skip
    told = await limited(settings, "anna", {"most_gears": 5, "most_domains": 0})
    assert told == ["gears    0 of 5", "domains  1 of 0", "storage  0 of 100"]
    found = await store.accounts.get(anna.id)
    assert found is not None
    assert (found.most_gears, found.most_domains, found.most_storage) == (5, 0, 100)
    await database.close()
