"""Redis as the queue: a sorted set of job ids for each tube."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from windlass.engine.lease import JobId
from windlass.engine.queue import Nudge
from windlass.errors import Refused
from windlass.queues.reach import Reach
from windlass.queues.seeking import Seeker

TUBE = "windlass:tube:"  # and its name: the key of its set
SEQUENCE = "windlass:sequence"
ANSWER = 5.0  # seconds; longer than any wait that is asked for
GLANCE = 0.001  # seconds; to BZPOPMIN a timeout of zero means for ever
PLACES = 2**35  # in a priority; a score is exact below 2**53
PATIENT = 2**17 - 1  # the highest priority that fits beside them

log = structlog.get_logger()


class RedisQueue:
    """`redis://[[USER]:PASSWORD@]HOST[:PORT][/NUMBER]`, or `rediss://` for TLS."""

    def __init__(self, url: str, database: Any = None) -> None:
        self.server = Server(client_of(url))
        self.seeker = Seeker([self.server])

    async def put(self, nudges: Collection[Nudge]) -> None:
        """Ring for these jobs; one that is in line keeps its place or gets a better one."""
        await self.server.put([nudge for nudge in nudges if nudge.job is not None])

    async def reserve(self, tubes: Mapping[str, int], patience: float) -> Nudge | None:
        """The next nudge of these tubes; None after `patience` seconds."""
        return await self.seeker.reserve(tubes, patience)

    async def delete(self, nudge: Nudge) -> None:
        """Nothing: what is reserved is gone already."""

    async def check(self) -> None:
        """Whether the server answers."""
        await self.server.reach.call(self.server.knock)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.seeker.close()
        await self.server.close()


class Server:
    """One Redis."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.reach = Reach(name_of(client), self.knock, (RedisError, OSError))

    @property
    def why(self) -> str | None:
        """Why it is away; None while it is here."""
        return self.reach.why

    async def knock(self) -> None:
        """Whether anybody answers."""
        await self.client.ping()

    async def put(self, nudges: Sequence[Nudge]) -> None:
        """Every nudge at the end of its priority."""
        if nudges:
            await self.reach.call(lambda: self.line_up(nudges))

    async def line_up(self, nudges: Sequence[Nudge]) -> None:
        """Take places and stand there; LT: of two places the better one."""
        last = await self.client.incrby(SEQUENCE, len(nudges))
        async with self.client.pipeline(transaction=False) as pipeline:
            for place, nudge in enumerate(nudges, last - len(nudges)):
                score = min(max(nudge.priority, 0), PATIENT) * PLACES + place % PLACES
                pipeline.zadd(TUBE + nudge.tube, {str(nudge.job): score}, lt=True)
            await pipeline.execute()

    async def seek(self, order: Sequence[str], seconds: int) -> Nudge | None:
        """The first of the first tube that has one, or that gets one in this time."""
        keys = [TUBE + tube for tube in order]
        popped = await self.reach.call(lambda: self.pop(keys, seconds or GLANCE))
        if popped is None:
            return None
        tube, job, score = popped[0].removeprefix(TUBE), popped[1], popped[2]
        if not (job.isascii() and job.isdigit() and len(job) <= 18):
            log.warning("queue.not_a_nudge", tube=tube, body=job[:40])
            return None
        return Nudge(tube, JobId(int(job)), int(score) // PLACES, score)

    async def pop(self, keys: list[str], seconds: float) -> tuple[str, str, float] | None:
        """Key, member and score of the first one there is."""
        popped: Any = await self.client.bzpopmin(keys, seconds)
        return popped and (popped[0].decode(), popped[1].decode(errors="replace"), float(popped[2]))

    async def give_back(self, nudge: Nudge) -> None:
        """Back to the place that it had."""
        if isinstance(nudge.handle, float):
            place = {str(nudge.job): nudge.handle}
            await self.reach.call(lambda: self.client.zadd(TUBE + nudge.tube, place, lt=True))

    async def close(self) -> None:
        """Let go of the connections."""
        await self.reach.close()
        await self.client.aclose()


def client_of(url: str) -> Redis:
    """A client of the server at this URL; a password in it is shown to nobody."""
    try:
        # One try more, for a connection that was lost while nobody looked (a restart).
        return Redis.from_url(
            url,
            socket_timeout=ANSWER,
            socket_connect_timeout=ANSWER,
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError:
        raise Refused("a queue is redis://[:PASSWORD@]HOST[:PORT][/NUMBER]; this is none") from None


def name_of(client: Redis) -> str:
    """Where it is, without passwords."""
    where = client.connection_pool.connection_kwargs
    return f"Redis at {where.get('host', 'localhost')}:{where.get('port', 6379)}"
