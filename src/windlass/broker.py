"""The broker: the ports in one hand; submit, cancel, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from windlass.catalog import Catalog
from windlass.engine.hooks import Hooks
from windlass.engine.job import Asker, Request
from windlass.engine.journal import Journal, Submitted
from windlass.engine.lease import JobId, Lease
from windlass.engine.queue import Queue
from windlass.engine.ringing import ring
from windlass.engine.submitting import submit
from windlass.errors import LeaseLost, NotFound
from windlass.model.ids import NodeId, ReleaseId
from windlass.nodes.node import Node
from windlass.store.connection import Connection
from windlass.store.store import Store


@dataclass(frozen=True)
class Broker:
    """What operations and steps act on; `lease` is there while a job's step runs."""

    store: Store
    journal: Journal
    queue: Queue
    nodes: Mapping[NodeId, Node]
    catalog: Catalog
    apps_domain: str
    archives: Path  # folder of uploaded sources, one file a release
    hooks: Hooks | None = None  # of its operator, here and in its workers
    lease: Lease | None = None

    def within(self, transaction: Connection, job: JobId) -> Self:
        """This broker, its store in the transaction that makes the job."""
        return replace(self, store=Store(self.store.database, inside=transaction))

    def under(self, lease: Lease) -> Self:
        """This broker, its writes fenced by the lease and its node calls carrying it."""
        return replace(self, store=Store(self.store.database, by=lease), lease=lease)

    async def submit(self, request: Request) -> Submitted:
        """Accept a job, or refuse it; the queue is told after the commit."""
        return await submit(self.journal, self.queue, self, request, self.hooks)

    async def cancel(self, job: JobId, asker: Asker, reason: str | None = None) -> None:
        """Record the wish to take a job back."""
        await ring(self.queue, await self.journal.cancel(job, asker, reason))

    @property
    def by(self) -> Lease:
        """The lease that node calls carry."""
        if self.lease is None:
            raise LeaseLost("only a step of a job may act on a node")
        return self.lease

    def node(self, id: NodeId) -> Node:
        """A node by id."""
        if id not in self.nodes:
            raise NotFound(f"there is no node {id} here")
        return self.nodes[id]

    def roomiest(self) -> NodeId:
        """The node for a new gear; there is one as yet."""
        return next(iter(self.nodes))

    def archive(self, release: ReleaseId) -> Path:
        """Where the source of a release is kept until it is built."""
        return self.archives / f"{release}.tar"

    async def close(self) -> None:
        """Let go of everything; gears go on."""
        await self.queue.close()
        for node in self.nodes.values():
            await node.close()
        await self.journal.close()
        await self.store.database.close()
