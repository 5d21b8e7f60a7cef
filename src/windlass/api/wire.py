"""Records as the JSON of docs/api.md; nothing here reads or asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from windlass.catalog import Catalog
from windlass.engine.record import StepRow
from windlass.engine.steplog import end_of
from windlass.model.accounts import Token, User
from windlass.model.applications import Application, AppState, Domain, host_of
from windlass.model.cartridges import Cartridge
from windlass.model.gears import InstanceReport, InstanceState
from windlass.model.isolation import Aspect
from windlass.model.sizes import SIZES, Size
from windlass.settings import Settings, address
from windlass.store.applications import Release
from windlass.store.jobs import View

ROOT = "/broker/rest"
VERSION = version("windlass")
Json = dict[str, Any]


def moment(at: float | None) -> str | None:
    """A time in ISO 8601, in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


class Urls:
    """Absolute URLs: from the settings, never from what a client says our name is."""

    def __init__(self, settings: Settings) -> None:
        self.host = settings.url
        self.base = settings.url + ROOT
        self.apps_domain = settings.apps_domain
        _, port = address(settings.apps, "--apps")
        self.port = "" if port == 80 else f":{port}"

    def to(self, *parts: str | int) -> str:
        """A path below the root of the API."""
        return "/".join((self.base, *(quote(str(part), safe="") for part in parts)))

    def job(self, job: int) -> str:
        """A job."""
        return f"{self.base}/jobs/{job}"

    def application(self, domain: str, name: str) -> str:
        """An application's own resource."""
        return self.to("domains", domain, "applications", name)

    def served(self, domain: str, name: str) -> str:
        """Where an application answers."""
        return f"http://{host_of(name, domain, self.apps_domain)}{self.port}"


# -- accounts ------------------------------------------------------------------------------


def user(one: User, used: Mapping[str, int]) -> Json:
    """Who is signed in, with limits and what is used of them; storage is in GiB."""
    limits = {"domains": one.most_domains, "gears": one.most_gears, "storage": one.most_storage}
    return {
        "id": one.id,
        "login": one.login,
        "admin": one.admin,
        "limits": limits,
        "used": {kind: used.get(kind, 0) for kind in limits},
    }


def token(one: Token) -> Json:
    """A token, without what it says."""
    return {
        "id": one.id,
        "note": one.note,
        "scope": one.scope,
        "created_at": moment(one.created),
        "expires_at": moment(one.expires),
    }


def cartridge(one: Cartridge, catalog: Catalog) -> Json:
    """What an application can be made of."""
    missing = catalog.missing(one)
    return {
        "name": one.name,
        "display_name": one.display_name,
        "description": one.description,
        "category": one.category,
        "available": not missing,
        "missing": missing,
    }


def node(id: str, gears: int, aspects: Sequence[Aspect], urls: Urls) -> Json:
    """A node, and what each of its gears has for itself."""
    return {
        "id": id,
        "url": urls.to("nodes", id),
        "gears": gears,
        "sizes": {one.name: size(one) for one in SIZES.values()},
        "isolation": {one.name: {"kept": one.kept, "note": one.note} for one in aspects},
    }


def size(one: Size) -> Json:
    """What a gear of this size may use."""
    return {
        "memory": one.memory,
        "disk": one.disk,
        "processes": one.processes,
        "cores": one.cores,
    }


# -- domains and applications --------------------------------------------------------------


def domain(one: Domain, owner: str, applications: int, urls: Urls) -> Json:
    """A domain, its owner by login."""
    return {
        "id": one.id,
        "name": one.name,
        "owner": owner,
        "created_at": moment(one.created),
        "url": urls.to("domains", one.name),
        "applications": applications,
    }


@dataclass(frozen=True)
class Beside:
    """What is told of an application beside its record."""

    release: int | None = None  # its number
    job: int | None = None  # under way
    gears: int = 0
    aliases: Sequence[str] = ()
    instances: Sequence[InstanceReport] = ()


def application(one: Application, beside: Beside, urls: Urls) -> Json:
    """An application; one whose instances have all crashed shows that, whatever is stored."""
    return {
        "id": one.id,
        "name": one.name,
        "domain": one.domain_name,
        "cartridge": one.cartridge,
        "state": seen(one.state, beside.instances),
        "url": urls.served(one.domain_name, one.name),
        "api_url": urls.application(one.domain_name, one.name),
        "created_at": moment(one.created),
        "release": beside.release,
        "gear_size": one.size,
        "gears": beside.gears,
        "aliases": list(beside.aliases),
        "scales_from": one.scales_from,
        "scales_to": one.scales_to,
        "health_path": one.health_path,
        "health_grace": one.health_grace,
        "instances": [instance(each) for each in beside.instances],
        "job": None if beside.job is None else urls.job(beside.job),
    }


def seen(stored: AppState, instances: Sequence[InstanceReport]) -> AppState:
    """The state that is stored, but for what one can see."""
    crashed = [one.state is InstanceState.CRASHED for one in instances]
    return AppState.CRASHED if stored is AppState.STARTED and crashed and all(crashed) else stored


def instance(one: InstanceReport) -> Json:
    """A run of a release, as its node sees it."""
    return {
        "state": one.state,
        "address": one.address,
        "restarts": one.restarts,
        "why": one.why,
    }


def alias(fqdn: str) -> Json:
    """A further host name."""
    return {"id": fqdn}


def release(one: Release, active: str | None) -> Json:
    """A release; it is listed once it is built."""
    return {
        "id": one.id,
        "number": one.number,
        "state": "ready",
        "active": one.id == active,
        "created_at": moment(one.created),
    }


# -- jobs ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """What jobs name by ids: logins of users, and the applications that are still there."""

    logins: Mapping[str, str]
    present: Mapping[str, tuple[str, str]]  # by id: of domain and application, as they are now


def job(view: View, names: Names, urls: Urls) -> Json:
    """A job, the specification's two fields first."""
    return {
        "status": view.phase.status,
        "percent_complete": view.percent,
        "id": view.id,
        "url": urls.job(view.id),
        "operation": view.kind,
        "title": view.title,
        "phase": view.phase,
        "direction": view.direction,
        "domain": view.subject.get("domain"),
        "application": view.subject.get("application"),
        "steps": [step(row) for row in view.steps],
        "waiting_for": [urls.job(one) for one in view.waiting_for],
        "error": view.trouble.data() if view.trouble else None,
        "result": result(view.steps),
        "resource": resource(view, names, urls),
        "cancel_asked": view.cancel_asked,
        "retry_of": None if view.retry_of is None else urls.job(view.retry_of),
        "retried_by": None if view.retried_by is None else urls.job(view.retried_by),
        "owner": names.logins.get(view.owner),
        "asked": {
            "by": view.asker.login,
            "from": view.asker.address,
            "request": view.asker.request,
        },
        "created_at": moment(view.created),
        "started_at": moment(view.started),
        "ended_at": moment(view.ended),
        "due_at": moment(view.due),
        "retry_after": None if view.phase.ended else 1,
    }


def result(steps: Sequence[StepRow]) -> str | None:
    """What the job has come to, where its steps have left anything: in their order."""
    left = [one.result for one in steps if one.result is not None]
    return end_of("\n".join(left)) if left else None


def resource(view: View, names: Names, urls: Urls) -> str | None:
    """What the job works on, while it exists."""
    found = names.present.get(view.subject.get("application_id", ""))
    return urls.application(*found) if found else None


def step(row: StepRow) -> Json:
    """A step, and what has become of it."""
    whole = row.begun is not None and row.ended is not None
    return {
        "number": row.number,
        "stage": row.stage,
        "kind": row.kind,
        "title": row.title,
        "state": row.state,
        "tries": row.tries,
        "one_way": row.one_way,
        "begun_at": moment(row.begun),
        "ended_at": moment(row.ended),
        "seconds": round(row.ended - row.begun, 3) if whole else None,  # type: ignore[operator]
        "error": row.trouble.data() if row.trouble else None,
        "due_at": moment(row.due),
    }
