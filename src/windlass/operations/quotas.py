"""What gears take of their owners' quotas."""

from collections.abc import Iterable, Iterator

from windlass.engine.operation import Hold
from windlass.model.accounts import User
from windlass.model.ids import AppId, GearId, gear_id
from windlass.model.sizes import GIB, Size


def new_gears(count: int) -> list[GearId]:
    """So many fresh ids; none, if that is fewer than one."""
    return [gear_id() for _ in range(count)]


def shares(owner: User, application: AppId, size: Size, gears: Iterable[GearId]) -> Iterator[Hold]:
    """Each gear, and its disk; the application has them once they are there."""
    for gear in gears:
        yield Hold(
            f"gears:{gear}",
            application,
            "gears",
            owner=owner.id,
            amount=1,
            limit=owner.most_gears,
            code=104,
        )
        yield Hold(
            f"storage:{gear}",
            application,
            "storage",
            owner=owner.id,
            amount=size.disk // GIB,
            limit=owner.most_storage,
            unit="GiB of",
            code=166,
        )
