"""`windlass login`, `logout`, `whoami` and `status`: who one is, and where."""

import os
import socket
import sys
from contextlib import suppress
from getpass import getpass
from typing import Annotated

import typer

from windlass.cli import session
from windlass.cli.fate import Fate, Stop
from windlass.cli.options import OutputOption, connect, examples
from windlass.cli.render import (
    Column,
    Output,
    facts,
    show_one,
    structured,
    tell,
    write,
    write_lines,
)
from windlass.cli.session import Login
from windlass.client import Client, ClientError, Json, Problem, loopback

app = typer.Typer()

ACCOUNT = (
    Column("login", lambda user: user["login"]),
    Column("operator", lambda user: "yes" if user["admin"] else None),
    Column("domains", lambda user: _used(user, "domains")),
    Column("gears", lambda user: _used(user, "gears")),
    Column("storage", lambda user: _used(user, "storage") + " GiB"),
)


@app.command(
    epilog=examples(
        "windlass login http://127.0.0.1:8000",
        "windlass login https://broker.example.org --as work",
        "windlass login --login admin --password-stdin < password-file",
    )
)
def login(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="Where the server is.")] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="What to call this cluster.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--login", "-l", metavar="LOGIN", help="Who you are there.")
    ] = None,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read a token instead of asking for a password.")
    ] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password instead of asking for it.")
    ] = False,
) -> None:
    """Sign in, and keep a token, never the password."""
    saved = session.load()
    known = saved.clusters.get(name or saved.current or "")
    given = url or os.environ.get("WINDLASS_URL") or (known.url if known else session.DEFAULT_URL)
    there = session.checked_url(given)
    if there.startswith("http://") and not loopback(there):
        tell(f"{there} is not encrypted: others on the way can read what you send.")
    if token_stdin:
        new = _with_token(there, sys.stdin.readline().strip())
    else:
        new = _with_password(there, *_credentials(user, password_stdin))
    name = name or next((n for n, one in saved.clusters.items() if one.url == there), None)
    name = name or there.partition("://")[2]
    _revoke(saved.clusters.get(name), there)
    session.save(saved.with_login(name, new))
    tell(f"Signed in as {new.login} at {there}, here called {name}.")


@app.command(epilog=examples("windlass logout", "windlass --cluster work logout"))
def logout(context: typer.Context) -> None:
    """Sign out: revoke the token and forget it."""
    saved = session.load()
    name = context.obj or os.environ.get("WINDLASS_CLUSTER") or saved.current
    if name is None or name not in saved.clusters:
        raise Stop(Fate.NOT_ALLOWED, "You are not signed in.", next="windlass login")
    old = saved.clusters[name]
    session.save(saved.without(name))
    if old.token_id is None:
        tell(f"Forgot the token of {name}. It was made elsewhere and is still good there.")
        return
    try:
        with Client(old.url, token=old.token) as client:
            client.revoke_token(old.token_id)
    except Problem as problem:
        if problem.status not in (401, 404):  # then it is worthless already
            raise
    except ClientError as error:
        raise Stop(
            Fate.AWAY, f"Forgot the token of {name}, but could not revoke it: {error}."
        ) from error
    tell(f"Signed out of {name}; the token is revoked.")


@app.command(epilog=examples("windlass whoami", "windlass whoami -o json"))
def whoami(context: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """Show who is signed in, with limits and what is used of them."""
    with connect(context) as client:
        show_one(client.user(), ACCOUNT, output, "login")


@app.command(epilog=examples("windlass status", "windlass status -o json"))
def status(context: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """Ask whether the server is there, and as whom it knows you."""
    with connect(context) as client:
        service = client.service()
        stop, user = None, None
        try:
            user = client.user()["login"]
        except Problem as problem:
            if problem.status != 401:
                raise
            stop = Stop(Fate.NOT_ALLOWED, "You are not signed in.", next="windlass login")
    found = {
        "server": client.url,
        "version": service["version"],
        "api": ", ".join(service["api_versions"]),
        "login": user,
    }
    if output is Output.NAME:
        write(f"{client.url}\n")
    elif output is Output.TABLE:
        write_lines(facts(list(found.items())))
    else:
        write(structured(found, output))
    if stop:
        raise stop


def _used(user: Json, what: str) -> str:
    limit = user["limits"][what]
    return f"{user['used'][what]} of {'any number' if limit is None else limit}"


def _credentials(user: str | None, from_stdin: bool) -> tuple[str, str]:
    if from_stdin:
        if not user:
            raise Stop(Fate.USAGE, "--password-stdin needs --login LOGIN.")
        return user, sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Stop(
            Fate.USAGE,
            "There is nobody to ask for a password.",
            next="windlass login --login LOGIN --password-stdin < FILE",
        )
    user = user or str(typer.prompt("Login", err=True))
    return user, getpass("Password: ", stream=sys.stderr)


def _with_password(url: str, user: str, password: str) -> Login:
    note = f"windlass CLI on {socket.gethostname()}"
    try:
        with Client(url, login=user, password=password) as client:
            token = client.create_token(note)
    except Problem as problem:
        if problem.status != 401:
            raise
        raise Stop(Fate.NOT_ALLOWED, f"{url} does not know this login and password.") from problem
    return Login(url, token["token"], user, str(token["id"]))


def _with_token(url: str, token: str) -> Login:
    if not token:
        raise Stop(Fate.USAGE, "There was no token to read.")
    try:
        with Client(url, token=session.checked_token(token)) as client:
            return Login(url, token, client.user()["login"])
    except Problem as problem:
        if problem.status != 401:
            raise
        raise Stop(Fate.NOT_ALLOWED, f"{url} does not know this token.") from problem


def _revoke(old: Login | None, url: str) -> None:
    # The token that the new one takes the place of would only lie around.
    if old and old.token_id and old.url == url:
        with suppress(ClientError), Client(url, token=old.token) as client:
            client.revoke_token(old.token_id)
