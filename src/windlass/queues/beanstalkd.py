"""beanstalkd as the queue: tubes and priorities are its own, and there may be several servers."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from windlass.engine.queue import Nudge
from windlass.errors import Refused, Transient
from windlass.queues.seeking import Seeker
from windlass.queues.talk import Address, Line, Receipt, Talk

PORT = 11300
TUBE = re.compile(r"[A-Za-z0-9+/;.$_()-]{1,190}")  # what the protocol lets a tube be called


class BeanstalkdQueue:
    """`beanstalkd://HOST[:PORT][,HOST[:PORT]...]`; each batch of nudges goes to one server."""

    def __init__(self, url: str, database: Any = None) -> None:
        self.servers = [Server(address) for address in addresses(url)]
        self.seeker = Seeker(self.servers)
        self.turn = 0

    async def put(self, nudges: Collection[Nudge]) -> None:
        """Ring for these jobs at the next server that is here."""
        check_names(nudge.tube for nudge in nudges)
        if batch := [nudge for nudge in nudges if nudge.job is not None]:
            await self.any_of(lambda talk: talk.put(batch))

    async def any_of(self, what: Callable[[Talk], None]) -> None:
        """Ask the servers by turns until one has done it; Transient if none could."""
        reasons = []
        self.turn = (self.turn + 1) % len(self.servers)
        for server in self.servers[self.turn :] + self.servers[: self.turn]:
            try:
                return await server.putting.ask(what)
            except Transient as error:
                reasons.append(str(error))
        raise Transient("; ".join(reasons))

    async def reserve(self, tubes: Mapping[str, int], patience: float) -> Nudge | None:
        """The next nudge of these tubes; None after `patience` seconds."""
        check_names(tubes)
        return await self.seeker.reserve(tubes, patience)

    async def delete(self, nudge: Nudge) -> None:
        """It has been looked at; on a connection that broke it is the server's again."""
        for server in self.servers:
            if isinstance(nudge.handle, Receipt) and nudge.handle.talk is server.taking.talk:
                await server.delete(nudge.handle)

    async def check(self) -> None:
        """Whether one of the servers answers."""
        await self.any_of(Talk.knock)

    async def close(self) -> None:
        """End connections and threads; the servers take back what we hold."""
        await self.seeker.close()
        for server in self.servers:
            await server.close()


class Server:
    """One beanstalkd: a connection to put, and one to take, on which one may wait."""

    def __init__(self, address: Address) -> None:
        self.putting, self.taking = Line(address), Line(address)

    @property
    def why(self) -> str | None:
        """Why nothing can be taken; None while it can."""
        return self.taking.reach.why

    async def seek(self, order: Sequence[str], seconds: int) -> Nudge | None:
        """A nudge of the first of these tubes that has one, or that gets one in this time."""
        return await self.taking.ask(lambda talk: talk.seek(order, seconds))

    async def give_back(self, nudge: Nudge) -> None:
        """Let others have it."""
        receipt = nudge.handle
        if isinstance(receipt, Receipt):
            await self.taking.ask(lambda talk: talk.release(receipt, nudge.priority))

    async def delete(self, receipt: Receipt) -> None:
        """Away with it."""
        await self.taking.ask(lambda talk: talk.delete(receipt))

    async def close(self) -> None:
        """End both connections."""
        await self.putting.close()
        await self.taking.close()


def addresses(url: str) -> list[Address]:
    """Where the servers are; Refused if that cannot be read."""
    return [address(place) for place in url.partition("://")[2].rstrip("/").split(",")]


def address(place: str) -> Address:
    """HOST, HOST:PORT or [HOST]:PORT taken apart."""
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]@/]+))(?::([0-9]{1,5}))?", place)
    if found is None or int(found[3] or PORT) > 65535:
        raise Refused(f"a queue is beanstalkd://HOST:PORT[,HOST:PORT], {place!r} is no HOST:PORT")
    return found[1] or found[2], int(found[3] or PORT)


def check_names(tubes: Iterable[str]) -> None:
    """Refused if beanstalkd could not call a tube so."""
    for tube in tubes:
        if not TUBE.fullmatch(tube):
            raise Refused(f"beanstalkd has no words for a tube {tube!r}")
