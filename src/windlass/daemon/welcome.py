"""The first start: a user admin, a signed-in CLI, and an application that answers.

Every part looks first what is there, so that a start that was interrupted is completed by the next.
"""

import asyncio
import os
import secrets
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from windlass.client import Client, ClientError, Json, Problem, has_ended
from windlass.daemon.accounts import make_admin
from windlass.daemon.ready import local_url
from windlass.daemon.say import say, warn
from windlass.daemon.standing import write_private
from windlass.settings import Settings

ADMIN = "admin"
ADMIN_PASSWORD = "WINDLASS_ADMIN_PASSWORD"
DOMAIN, APPLICATION, CARTRIDGE = "demo", "hello", "python"
LOOK = 0.5  # seconds between looks at a job that nobody draws


async def welcome(settings: Settings, told: str | None) -> bool:
    """Do what the first start does, unless that was done to its end; says whether it was."""
    done = settings.data / "first-start"
    if done.exists():
        return False
    password = password_of(settings, told)
    await make_admin(settings, ADMIN, password)
    await sign_in(settings, password)
    if settings.no_quickstart or await quickstart(settings, password):
        done.write_text("done\n")
    return True


def password_of(settings: Settings, told: str | None) -> str:
    """The admin's password: what we are told, what is in the file, or a new one, in the file."""
    if told:
        return told
    file = password_file(settings)
    if not file.exists():
        write_private(file, secrets.token_urlsafe(18) + "\n")
    return file.read_text().strip()


def password_file(settings: Settings) -> Path:
    """Where the admin's password lies if nobody has chosen one."""
    return settings.data / "admin-password"


async def sign_in(settings: Settings, password: str) -> None:
    """Sign the CLI in for the user who started us."""
    url = local_url(settings)
    process = await asyncio.create_subprocess_exec(
        *cli("login", url, "--login", ADMIN, "--password-stdin"),
        env=cli_environ(url),
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    _, words = await process.communicate(f"{password}\n".encode())
    if process.returncode:
        why = words.decode(errors="replace").strip().partition("\n")[0]
        warn(f"the CLI could not be signed in ({why}); say: {command('windlass')} login {url}")


async def quickstart(settings: Settings, password: str) -> bool:
    """Make the first application through the API, and say whether it went well."""
    with Client(local_url(settings), login=ADMIN, password=password) as client:
        try:
            job = await asyncio.to_thread(make_application, client)
            if job is not None:
                await draw(settings, job)
                job = await ended(client, job)
        except ClientError as error:
            warn(f"the application {APPLICATION} could not be made: {error}")
            return False
    return job is None or job["phase"] == "complete"


def make_application(client: Client) -> Json | None:
    """The job that makes the application; None if it is there and nothing is under way."""
    try:
        client.create_domain(DOMAIN)
    except Problem as problem:
        if problem.status not in (409, 422):  # it is there
            raise
    try:
        there = client.application(DOMAIN, APPLICATION)
    except Problem as problem:
        if problem.status != 404:
            raise
        return client.create_application(DOMAIN, APPLICATION, CARTRIDGE)
    under_way = there["job"]
    return client.job(int(under_way.rpartition("/")[2])) if under_way else None


async def draw(settings: Settings, job: Json) -> None:
    """Draw the job's steps while they happen, as the CLI does; Ctrl-C leaves the job running."""
    process = await asyncio.create_subprocess_exec(
        *cli("job", "watch", str(job["id"])), env=cli_environ(local_url(settings)), stdin=DEVNULL
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def ended(client: Client, job: Json) -> Json:
    """The job when it has ended, also where it could not be drawn."""
    while True:
        job = await asyncio.to_thread(client.job, job["id"])
        if has_ended(job):
            return job
        await asyncio.sleep(LOOK)


def greet(settings: Settings, first: bool) -> None:
    """Say where everything is and, the first time, what to try next."""
    say("", f"windlass is ready at {settings.url}", f"  data      {settings.data}")
    if password_file(settings).exists():
        say(f"  sign-in   {ADMIN}, with the password in {password_file(settings)}")
    if sys.stderr.isatty():
        say(f"  log       {settings.data / 'broker.log'}")
    if first:
        say(
            "", "Try next, in another terminal:", *(f"  {line}" for line in next_commands(settings))
        )
    say("", "Ctrl-C stops the broker; applications keep running.")


def next_commands(settings: Settings) -> list[str]:
    """What a newcomer may type now."""
    port = settings.apps.rpartition(":")[2]
    hello = f"curl http://{APPLICATION}-{DOMAIN}.{settings.apps_domain}:{port}"
    windlass = command("windlass")
    return [
        *([] if settings.no_quickstart else [hello]),
        f"{windlass} app list",
        f"{windlass} app create --help",
        f"{command('windlassd')} status",
    ]


def cli(*words: str) -> list[str]:
    """A command line of the client that belongs to us."""
    return [str(Path(sys.executable).with_name("windlass")), *words]


def cli_environ(url: str) -> dict[str, str]:
    """Our environment, in which the client talks to this installation and no other."""
    others = ("WINDLASS_TOKEN", "WINDLASS_CLUSTER")
    ours = {name: value for name, value in os.environ.items() if name not in others}
    return {**ours, "WINDLASS_URL": url}


def command(name: str) -> str:
    """How to type one of our commands here: its name, or a path if it is not on the PATH."""
    ours = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if found and Path(found).resolve() == ours.resolve():
        return name
    here = Path.cwd()
    return str(ours.relative_to(here) if ours.is_relative_to(here) else ours)
