"""What all operations on an application have in common."""

from collections.abc import Collection
from dataclasses import dataclass

from windlass.broker import Broker
from windlass.engine.operation import Hold, Operation
from windlass.engine.scope import Scope
from windlass.errors import Conflict, NotFound
from windlass.model.applications import Application, path_of
from windlass.model.ids import AppId, DomainId


@dataclass(frozen=True)
class OnApplication(Operation[Broker], base=True):
    """An operation that works on one application and keeps others away from it."""

    domain: DomainId
    application: AppId
    name: str  # as people see it: "blog in demo"

    @property
    def scope(self) -> Scope:
        """The application; its domain stays as it is meanwhile."""
        path = path_of(self.domain, self.application)
        return Scope(exclusive={path}, shared={self.domain})


@dataclass(frozen=True)
class OnPresent(OnApplication, base=True):
    """One that is refused at the door unless the application is there, and stays."""

    async def reserve(self, world: Broker) -> Collection[Hold]:
        """It must be there, and stay."""
        await present(world, self.application)
        return ()


async def present(broker: Broker, id: AppId) -> Application:
    """The application, or NotFound; Conflict if it is on its way out."""
    application = await broker.store.applications.get(id)
    if application is None:
        raise NotFound("there is no such application any more", code=101)
    if application.leaving is not None:
        raise Conflict(f"{application.name} is being deleted", job=application.leaving)
    return application
