"""Verbs on releases: an archive is received, judged, and handed to a job."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import structlog
from litestar import Response, get, post

from windlass.api import wire
from windlass.api.applications import MEMBER, application_of
from windlass.api.bodies import media_type
from windlass.api.paging import short_page
from windlass.api.prefer import job_answer
from windlass.api.problems import Problem
from windlass.api.requests import Asked
from windlass.api.submitting import named, same_id, submit_on
from windlass.archives import check
from windlass.broker import Broker
from windlass.engine.lease import JobId
from windlass.errors import Conflict, TooLarge, Transient
from windlass.model.applications import Application
from windlass.model.ids import ReleaseId, release_id
from windlass.operations.releases import DeployRelease

MOST = 100 << 20  # bytes of an archive as it is sent
PIECE = 1 << 20  # bytes that are written at once
STALE = 3600.0  # seconds after which an archive that no job knows is nobody's
PART = "part-"
ARCHIVES = ("octet-stream", "x-tar", "gzip", "x-gzip", "x-bzip2", "x-xz")

log = structlog.get_logger()


@get([path + "/releases" for path in MEMBER])
async def list_releases(request: Asked) -> Response[bytes]:
    """The releases of an application, the newest first."""
    application = await application_of(request)
    found = await request.front.broker.store.applications.releases(application.id)
    return short_page(request, [wire.release(one, application.release) for one in found])


@post([path + "/releases" for path in MEMBER], request_max_body_size=None)
async def deploy(request: Asked) -> Response[bytes] | Response[str]:
    """New code serves: a job."""
    application = await application_of(request)
    if application.leaving is not None:
        raise Conflict(f"{application.name} is being deleted", job=application.leaving)
    check_announced(request)
    async with received(request) as (part, digest):
        async with request.front.judging:
            await asyncio.to_thread(check, part)
        owner, of = application.owner, application.id
        release = ReleaseId(same_id(request, "r", owner, of, digest) or release_id())
        # Shielded: a client that goes away leaves no job without its archive.
        job = await asyncio.shield(hand_in(request, application, release, part))
    return await job_answer(request, job)


def check_announced(request: Asked) -> None:
    """Refuse by the headers alone what could not be accepted."""
    media = media_type(request)
    if media.removeprefix("application/") not in ARCHIVES:
        raise Problem(415, "an archive is sent as application/octet-stream")
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MOST:
        raise too_large()


def too_large() -> TooLarge:
    """The refusal with the limit in it."""
    return TooLarge(f"an archive has at most {MOST >> 20} MiB")


# -- receiving -----------------------------------------------------------------------------


@asynccontextmanager
async def received(request: Asked) -> AsyncIterator[tuple[Path, str]]:
    """The body in a file of its own, with its SHA-256; deleted at the end unless moved away."""
    part = request.front.broker.archives / f"{PART}{release_id()}"
    try:
        with open_private(part) as file:
            digest = await write_body(request, file)
        yield part, digest
    except OSError as error:
        raise Transient(f"the archive cannot be kept here: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def open_private(path: Path) -> BinaryIO:
    """A new file that is only ours to read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


async def write_body(request: Asked, file: BinaryIO) -> str:
    """Write the body piece by piece until it is on the disk, off the loop."""
    digest, size, piece = sha256(), 0, bytearray()
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST:
            raise too_large()
        digest.update(chunk)
        piece += chunk
        if len(piece) >= PIECE:
            await asyncio.to_thread(file.write, bytes(piece))
            piece.clear()
    await asyncio.to_thread(finish, file, bytes(piece))
    return digest.hexdigest()


def finish(file: BinaryIO, rest: bytes) -> None:
    """Write the rest, and return when a loss of power cannot take it away."""
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())


# -- handing in ----------------------------------------------------------------------------


async def hand_in(
    request: Asked, application: Application, release: ReleaseId, part: Path
) -> JobId:
    """Put the archive where the job looks for it, and make the job; never a job without it."""
    front = request.front
    target = front.broker.archive(release)
    operation = DeployRelease(application.domain, application.id, named(application), release)
    # One at a time: with an Idempotency-Key two requests may have the same release.
    async with front.placing:
        placed = not target.exists()
        if placed:
            part.rename(target)
        try:
            submitted = await submit_on(request, operation, application)
        except Transient:
            raise  # the job may be there after all; what no job knows is swept by and by
        except Exception:
            if placed:
                target.unlink(missing_ok=True)
            raise
        if placed and not submitted.fresh:
            target.unlink(missing_ok=True)  # that job has had its own already
        return submitted.job


async def sweep(broker: Broker) -> None:
    """Delete what uploads have left that ended with their process, or whose job never built it."""
    wanted = {data["release"] for data in await broker.store.jobs.open(DeployRelease.kind)}
    for file in broker.archives.iterdir():
        with suppress(FileNotFoundError):  # another process sweeps too
            if file.stem not in wanted and file.stat().st_mtime < time.time() - STALE:
                file.unlink()
                log.info("archive.swept", file=file.name)
