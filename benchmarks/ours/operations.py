"""What is submitted: jobs of some steps that do nothing, in a world that can tell when."""

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any

from windlass.engine.lease import JobId, Lease
from windlass.engine.operation import Operation, Plan, Step
from windlass.engine.scope import Scope

LINGER = 600.0  # seconds; nobody waits for the end of it


@dataclass
class Bench:
    """The world; with a file to mark in, it tells when the first step of each job began."""

    marks: int | None = None  # a file descriptor, or None
    job: JobId | None = None

    @classmethod
    def marking(cls, path: str) -> "Bench":
        """A world that appends a line `JOB SECONDS` for the first step of each job."""
        return cls(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644))

    def within(self, transaction: Any, job: JobId) -> "Bench":
        """The same world."""
        return self

    def under(self, lease: Lease) -> "Bench":
        """The same world, for one job."""
        return self if self.marks is None else Bench(self.marks, lease.job)

    def mark(self) -> None:
        """Tell that a job begins, by the clock that all processes share."""
        if self.marks is not None:
            os.write(self.marks, f"{self.job} {time.monotonic()}\n".encode())


@dataclass(frozen=True)
class Touch(Step[Bench], kind="bench-touch"):
    """A step that does nothing."""

    number: int

    async def do(self, world: Bench) -> None:
        """Tell, if it is the job's first."""
        if self.number == 0:
            world.mark()


@dataclass(frozen=True)
class Linger(Step[Bench], kind="bench-linger"):
    """A step that does not end while anybody looks."""

    async def do(self, world: Bench) -> None:
        """Tell, and stay."""
        world.mark()
        await asyncio.sleep(LINGER)


@dataclass(frozen=True)
class Errand(Operation[Bench], kind="bench-errand"):
    """A job of some steps, one after another, on something that nobody else works on."""

    name: str
    steps: int = 1
    lingers: bool = False

    @property
    def scope(self) -> Scope:
        """Its own, as a job on an application has it."""
        return Scope(exclusive={self.name})

    async def elaborate(self, world: Bench) -> Plan[Bench]:
        """As many steps as asked for."""
        if self.lingers:
            yield Linger()
        for number in range(self.steps):
            yield Touch(number)
