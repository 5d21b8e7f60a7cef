"""The store: every repository, reaching the datastore in the same way."""

from windlass.engine.lease import Lease
from windlass.store.access import Access
from windlass.store.accounts import Accounts
from windlass.store.applications import Applications
from windlass.store.census import Census
from windlass.store.connection import Connection
from windlass.store.crew import Crews
from windlass.store.database import Database
from windlass.store.domains import Domains
from windlass.store.fleet import Fleet
from windlass.store.jobs import Jobs
from windlass.store.quotas import Quotas
from windlass.store.routers import Routers
from windlass.store.routing import Routing
from windlass.store.variables import Variables


class Store:
    """What the broker keeps."""

    def __init__(
        self, database: Database, by: Lease | None = None, inside: Connection | None = None
    ) -> None:
        self.database = database
        access = Access(database, by, inside)
        self.accounts = Accounts(access)
        self.domains = Domains(access)
        self.applications = Applications(access)
        self.fleet = Fleet(access)
        self.routing = Routing(access)
        self.variables = Variables(access)
        self.routers = Routers(access)
        self.quotas = Quotas(access)
        self.jobs = Jobs(access)
        self.crews = Crews(access)
        self.census = Census(access)
