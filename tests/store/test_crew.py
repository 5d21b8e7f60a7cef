"""Who works, on what, and what nobody can do."""

from dataclasses import replace

from engine.shop import Stock, Workshop
from windlass.store.access import Access
from windlass.store.crew import Crews


async def test_a_worker_is_seen_with_what_it_holds(workshop: Workshop) -> None:
    crews = Crews(Access(workshop.database))
    job = await workshop.submit(Stock("s1", "put a"))
    crew = replace(workshop.worker().crew, tubes=("default", "slow"))
    await workshop.journal.enlist(crew)
    await workshop.journal.claim(crew, ["default"], 1)
    (seen,) = await crews.all()
    assert (seen.id, seen.tubes, seen.jobs) == (crew.id, ("default", "slow"), (job,))
    assert seen.skills == crew.skills


async def test_what_nobody_can_do_is_named(workshop: Workshop) -> None:
    crews = Crews(Access(workshop.database))
    crew = workshop.worker().crew
    await workshop.submit(Stock("s1", "put a"))
    assert await crews.unable() == ["stock:1"]
    await workshop.journal.enlist(replace(crew, skills=frozenset({"other:1"})))
    assert await crews.unable() == ["stock:1"]
    await workshop.journal.retire(crew.id)
    await workshop.journal.enlist(replace(crew, tubes=("slow",)))
    assert await crews.unable() == ["tube default"]
    await workshop.journal.retire(crew.id)
    await workshop.journal.enlist(crew)
    assert await crews.unable() == []
