"""Operations and steps: what a user asks for, and the small things that it comes to.

Generic over the world that they act on, so that the engine never knows the platform.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from windlass.engine.known import Known, known
from windlass.engine.lease import JobId, Lease
from windlass.engine.policy import PATIENT, USUAL, Retry
from windlass.engine.scope import Scope

HIGH, NORMAL, LOW = 0, 100, 200  # priorities, as backburner's labels have them; smaller first


class World(Protocol):
    """What operations and steps act on."""

    def within(self, transaction: Any, job: JobId) -> Self:
        """This world, its store reading and writing in the transaction that makes the job."""

    def under(self, lease: Lease) -> Self:
        """This world, its writes fenced by the lease and its node calls carrying it."""


W = TypeVar("W", bound=World, contravariant=False)


@dataclass(frozen=True)
class Hold:
    """Something that a job has reserved: a unique name, or a share of somebody's quota.

    A job that fails loses its holds; completing hands them to `resource`, which gives them up
    when it is deleted.
    """

    key: str
    resource: str
    kind: str
    owner: str | None = None
    amount: int = 0
    limit: int | None = None  # of the owner's amounts of this kind, this one included
    unit: str = ""  # of the amount, as in "GiB of"
    code: int | None = None  # of the refusal, where the limit is reached

    @property
    def words(self) -> str:
        """What is counted, for people."""
        return f"{self.unit} {self.kind}".strip()

    @classmethod
    def name(cls, kind: str, name: str, resource: str) -> "Hold":
        """A name that is unique among those of its kind."""
        return cls(key=f"{kind}:{name}", resource=resource, kind=kind)

    @classmethod
    def quota(
        cls, kind: str, resource: str, owner: str, limit: int, *, code: int | None = None
    ) -> "Hold":
        """One of what an owner may have of a kind."""
        key = f"{kind}:{resource}"
        return cls(key, resource, kind, owner=owner, amount=1, limit=limit, code=code)


class Step(Known, Generic[W], base=True):
    """One small thing that can be done, done again, and taken back."""

    retry: ClassVar[Retry] = USUAL
    undo_retry: ClassVar[Retry] = PATIENT
    timeout: ClassVar[float] = 300.0  # seconds, for each try
    one_way: ClassVar[bool] = False  # once begun, only forward: retry, then bury
    waits: ClassVar[bool] = False  # merely waits for something: a cancel or a drain ends it

    @property
    def title(self) -> str:
        """What people see."""
        return self.words

    async def do(self, world: W) -> None:
        """Do it; a second time must not matter."""

    async def undo(self, world: W) -> None:
        """Nothing to take back, unless a step says otherwise."""


Plan = AsyncIterator[Step[W] | tuple[Step[W], ...]]


class Operation(Known, Generic[W], base=True):
    """What a user asks for. It elaborates into steps; it does nothing itself."""

    tube: ClassVar[str] = "default"
    priority: ClassVar[int] = NORMAL
    final: ClassVar[bool] = False  # closes what is under way at or below its exclusive paths

    @property
    def title(self) -> str:
        """What people see: a sentence."""
        return self.words

    @property
    def scope(self) -> Scope:
        """The paths that it works on; none: it conflicts with nobody."""
        return Scope()

    @property
    def machine(self) -> str | None:
        """Where its steps must run, as in `node:n1`; anywhere, unless an operation says."""
        return None

    async def reserve(self, world: W) -> Collection[Hold]:
        """Refuse at once what could never succeed; name what the job must hold."""
        return ()

    @classmethod
    def reserves(cls) -> bool:
        """Whether there is anything to refuse or to hold: what has nothing is accepted sooner."""
        return cls.reserve is not Operation.reserve

    async def elaborate(self, world: W) -> Plan[W]:
        """Read, choose every id and name, and yield steps; a tuple is a stage, side by side."""
        return
        yield  # an empty plan: done at once


def tubes() -> list[str]:
    """The tubes of all operations that are known here."""
    return sorted({operation.tube for operation in known(Operation)}) or [Operation.tube]
