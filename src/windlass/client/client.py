"""The resources of the REST API, a method for each call; all answers are plain dictionaries."""

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

import httpx

from windlass.client.errors import Away
from windlass.client.transport import Json, Transport, path

BIG_PAGE = 200  # the most that the server gives at once


class Page(NamedTuple):
    """A part of a list, and the query that asks for the next part."""

    items: list[Json]
    next: dict[str, str] | None


class Client:
    """A user's view of one server; safe to share between threads."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        login: str | None = None,
        password: str | None = None,
    ) -> None:
        self.transport = Transport(url, token=token, login=login, password=password)
        self.url = self.transport.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self.transport.close()

    # The service and its user

    def service(self) -> Json:
        """What answers there, and in which versions; needs no sign-in."""
        return self._get("api")

    def user(self) -> Json:
        """Who is signed in, with limits and what is used of them."""
        return self._get("user")

    def tokens(self) -> Iterator[Json]:
        """One's tokens, without their secrets."""
        return self._list("user", "tokens")

    def create_token(self, note: str, scope: str = "full", expires_in: int | None = None) -> Json:
        """Make a token; the only answer that has its secret."""
        wish: Json = {"note": note, "scope": scope}
        if expires_in is not None:
            wish["expires_in"] = expires_in
        return self._json(self.transport.send("POST", path("user", "tokens"), json=wish))

    def revoke_token(self, token: str) -> None:
        """Make a token worthless."""
        self.transport.send("DELETE", path("user", "tokens", token))

    def cartridges(self) -> Iterator[Json]:
        """What applications can be made of."""
        return self._list("cartridges")

    # Domains

    def domains(self) -> Iterator[Json]:
        """The domains that one may see."""
        return self._list("domains")

    def domain(self, domain: str) -> Json:
        """One domain."""
        return self._get("domains", domain)

    def create_domain(self, name: str) -> Json:
        """Make a domain, at once."""
        return self._json(self.transport.send("POST", path("domains"), json={"name": name}))

    def rename_domain(self, domain: str, name: str) -> Json:
        """Begin to give a domain another name; the answer is the job."""
        return self._begin("PUT", path("domains", domain), json={"name": name})

    def delete_domain(self, domain: str) -> None:
        """Delete an empty domain, at once."""
        self.transport.send("DELETE", path("domains", domain))

    # Applications

    def applications(self, domain: str | None = None) -> Iterator[Json]:
        """The applications of a domain, or all that one may see."""
        return (
            self._list("domains", domain, "applications") if domain else self._list("applications")
        )

    def application(self, domain: str, name: str) -> Json:
        """One application."""
        return self._get("domains", domain, "applications", name)

    def create_application(
        self, domain: str, name: str, cartridge: str, size: str | None = None
    ) -> Json:
        """Begin to make an application; the answer is the job."""
        wish = {"name": name, "cartridge": cartridge}
        if size is not None:
            wish["gear_size"] = size
        return self._begin("POST", path("domains", domain, "applications"), json=wish)

    def delete_application(self, domain: str, name: str) -> Json:
        """Begin to delete an application; the answer is the job."""
        return self._begin("DELETE", path("domains", domain, "applications", name))

    def application_event(self, domain: str, name: str, event: str, **more: int) -> Json:
        """Begin to start, stop, restart or scale an application; the answer is the job."""
        there = path("domains", domain, "applications", name, "events")
        return self._begin("POST", there, json={"event": event, **more})

    def configure_application(self, domain: str, name: str, **wish: str | float | None) -> Json:
        """Begin to set `health_path`, `health_grace` or both; the answer is the job."""
        return self._begin("PUT", path("domains", domain, "applications", name), json=wish)

    def bound_cartridge(self, domain: str, name: str, cartridge: str, **bounds: int) -> Json:
        """Begin to set `scales_from`, `scales_to` or both; the answer is the job."""
        there = path("domains", domain, "applications", name, "cartridges", cartridge)
        return self._begin("PUT", there, json=bounds)

    def gear_groups(self, domain: str, name: str) -> Iterator[Json]:
        """The gears of an application, as they are now."""
        return self._list("domains", domain, "applications", name, "gear_groups")

    def aliases(self, domain: str, name: str) -> Iterator[Json]:
        """The further host names that an application answers at."""
        return self._list("domains", domain, "applications", name, "aliases")

    def add_alias(self, domain: str, name: str, fqdn: str) -> Json:
        """Begin to let an application answer at a host name; the answer is the job."""
        there = path("domains", domain, "applications", name, "aliases")
        return self._begin("POST", there, json={"id": fqdn})

    def remove_alias(self, domain: str, name: str, fqdn: str) -> Json:
        """Begin to take a host name away; the answer is the job."""
        return self._begin("DELETE", path("domains", domain, "applications", name, "aliases", fqdn))

    def releases(self, domain: str, name: str) -> Iterator[Json]:
        """What was deployed to an application."""
        return self._list("domains", domain, "applications", name, "releases")

    def upload_release(self, domain: str, name: str, archive: Path) -> Json:
        """Send a tar archive, as it is read, and begin to deploy it; the answer is the job."""
        there = path("domains", domain, "applications", name, "releases")
        return self._begin("POST", there, file=archive)

    def variables(self, domain: str, name: str) -> Iterator[Json]:
        """The environment variables of an application, and what they say."""
        return self._list("domains", domain, "applications", name, "environment-variables")

    def set_variables(self, domain: str, name: str, change: Mapping[str, str | None]) -> Json:
        """Begin to set variables, or to take away those that are None; the answer is the job."""
        wish = [
            {"name": one} if value is None else {"name": one, "value": value}
            for one, value in change.items()
        ]
        there = path("domains", domain, "applications", name, "environment-variables")
        return self._begin("PATCH", there, json={"environment_variables": wish})

    # Jobs

    def jobs(
        self, domain: str | None = None, application: str | None = None, **filters: Any
    ) -> Iterator[Json]:
        """Jobs, the newest first, page after page as they are asked for."""
        return self._list(*self._jobs_of(domain, application), **filters)

    def jobs_page(
        self, domain: str | None = None, application: str | None = None, **filters: Any
    ) -> Page:
        """One page of jobs."""
        return self._page(path(*self._jobs_of(domain, application)), filters)

    def job(self, job: int) -> Json:
        """One job, with its steps."""
        return self._get("jobs", job)

    def job_event(
        self, job: int, event: str, *, reason: str | None = None, step: int | None = None
    ) -> Json:
        """Cancel, retry, kick, skip, undo or discard; of a retry the answer is the new job."""
        wish = {"event": event, "reason": reason, "step": step}
        given = {name: value for name, value in wish.items() if value is not None}
        return self._begin("POST", path("jobs", job, "events"), json=given)

    # What all of them do

    @staticmethod
    def _jobs_of(domain: str | None, application: str | None) -> tuple[str, ...]:
        if domain is None:
            return ("jobs",)
        if application is None:
            return ("domains", domain, "jobs")
        return ("domains", domain, "applications", application, "jobs")

    def _get(self, *parts: str | int) -> Json:
        return self._json(self.transport.send("GET", path(*parts)))

    def _begin(
        self, method: str, there: str, *, json: Json | None = None, file: Path | None = None
    ) -> Json:
        headers = {"Prefer": "respond-async", "Idempotency-Key": str(uuid.uuid4())}
        response = self.transport.send(method, there, json=json, file=file, headers=headers)
        if response.is_redirect:  # the preference was not granted: the body is the job's URL
            number = response.text.strip().rpartition("/")[2]
            if not number.isdecimal():
                raise Away(f"{self.url} redirects to somewhere else; ask for its own address")
            return self.job(int(number))
        return self._json(response)

    def _list(self, *parts: str, **query: Any) -> Iterator[Json]:
        there = path(*parts)
        wish: Json | None = {"limit": BIG_PAGE, **query}
        while wish is not None:
            page = self._page(there, wish)
            yield from page.items
            wish = page.next

    def _page(self, there: str, query: Json) -> Page:
        wish = {name: value for name, value in query.items() if value is not None}
        answer = self._json(self.transport.send("GET", there, params=wish))
        after = answer.get("next")
        # Only the query is taken: our token goes to no other host than the one we were given.
        return Page(answer["items"], dict(parse_qsl(urlsplit(after).query)) if after else None)

    def _json(self, response: httpx.Response) -> Json:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Away(f"{self.url} answers, but not as windlass does")
        return answer
