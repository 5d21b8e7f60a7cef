"""Handing in operations for whoever asked."""

from hashlib import sha256

from windlass.api.prefer import key_of
from windlass.api.requests import Asked
from windlass.broker import Broker
from windlass.engine.job import Request
from windlass.engine.journal import Submitted
from windlass.engine.operation import Operation
from windlass.model.applications import Application, Domain
from windlass.model.ids import ALPHABET, AppId


async def submit_on(
    request: Asked, operation: Operation[Broker], application: Application
) -> Submitted:
    """Hand in an operation on an application."""
    domain = Domain(application.domain, application.domain_name, application.owner, 0.0)
    return await submit(request, operation, domain, (application.id, application.name))


async def submit(
    request: Asked,
    operation: Operation[Broker],
    domain: Domain,
    application: tuple[AppId, str] | None = None,
) -> Submitted:
    """Hand in an operation: it takes the turn and the quota of the domain's owner."""
    subject: dict[str, str] = {"domain": domain.name, "domain_id": domain.id}
    if application is not None:
        id, name = application
        subject |= {"application": name, "application_id": id}
    asking = Request(operation, domain.owner, request.asker, subject, key=key_of(request))
    return await request.front.broker.submit(asking)


def named(application: Application) -> str:
    """The application as people see it in a job's title."""
    return f"{application.name} in {application.domain_name}"


def same_id(request: Asked, letter: str, *of: str) -> str | None:
    """The id that the same Idempotency-Key gets for the same thing: it makes them one request."""
    key = key_of(request)
    if key is None:
        return None
    hashed = sha256("\0".join((key, *of)).encode()).digest()
    return letter + "".join(ALPHABET[byte % 32] for byte in hashed[:12])
