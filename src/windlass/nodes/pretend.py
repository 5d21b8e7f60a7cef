"""A node that only writes down what it would do: for tests, dry runs and crash tests."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from windlass.archives import check
from windlass.engine.lease import Lease
from windlass.errors import LeaseLost, Refused, Transient
from windlass.model.cartridges import Action, Cartridge
from windlass.model.gears import Gear, GearReport, Instance, InstanceReport, InstanceState, Place
from windlass.model.ids import GearId, InstanceId, ReleaseId
from windlass.model.isolation import Aspect

State = dict[str, Any]  # as JSON has it
HOST = "127.0.0.1"
FIRST_PORT = 9000
FIRST_UID = 600_000


@dataclass(frozen=True)
class Effect:
    """A call that was accepted, and whether it changed anything."""

    call: str
    gear: str
    about: str  # the cartridge, release, instances or variables that the call named
    job: int
    number: int
    changed: bool


class Store(Protocol):
    """Where a pretended node keeps its state."""

    def change(self) -> AbstractContextManager[State]:
        """The state, alone; what was done to it is kept however the block ends."""

    def tell(self, effect: Effect) -> None:
        """Append to the record of effects."""

    def effects(self) -> list[Effect]:
        """Everything that was told."""


def empty() -> State:
    """The state of a node that has seen nothing."""
    return {"gears": {}, "fences": {}, "faults": [], "port": FIRST_PORT}


class PretendNode:
    """Every gear is there at once and every instance answers, or fails as it was planted."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def plant(self, call: str, on: str, error: str, times: int | None = None) -> None:
        """Let a call fail `times` times, or for ever.

        `call` is a method's name and `on` a gear, cartridge, release or variable, or "*" for any.
        `error` is "refused" or "transient"; "crashed" or "silent" on "observe" lets instances look
        so, "full" on "over" lets a gear's disk be too full.
        """
        with self.store.change() as state:
            state["faults"].append({"call": call, "on": on, "error": error, "times": times})

    def effects(self) -> list[Effect]:
        """What was done, in order; outlives the gears."""
        return self.store.effects()

    async def create(self, gear: Gear, by: Lease) -> Place:
        """See Node."""
        with self.changing("create", gear.id, by) as state:
            state["gears"].setdefault(gear.id, new_gear(gear))
        return Place(HOST, FIRST_UID + gear.slot)

    async def remove(self, gear: GearId, by: Lease) -> None:
        """See Node."""
        with self.changing("remove", gear, by) as state:
            state["gears"].pop(gear, None)

    async def install(self, gear: Gear, cartridge: Cartridge, by: Lease) -> None:
        """See Node."""
        with self.changing("install", gear.id, by, cartridge.name) as state:
            mine = there(state, gear.id)
            mine["cartridges"] = sorted({*mine["cartridges"], cartridge.name})

    async def uninstall(self, gear: Gear, cartridge: Cartridge, by: Lease) -> None:
        """See Node."""
        with self.changing("uninstall", gear.id, by, cartridge.name) as state:
            mine = state["gears"].get(gear.id, {"cartridges": []})
            mine["cartridges"] = sorted({*mine["cartridges"]} - {cartridge.name})

    async def publish(self, gear: Gear, variables: Mapping[str, str], by: Lease) -> None:
        """See Node."""
        with self.changing("publish", gear.id, by, *sorted(variables)) as state:
            there(state, gear.id)["variables"] = dict(variables)

    async def build(
        self, gear: Gear, cartridge: Cartridge, release: ReleaseId, source: Path | None, by: Lease
    ) -> None:
        """See Node."""
        with self.changing("build", gear.id, by, cartridge.name, release) as state:
            mine = there(state, gear.id)
            has_cartridge(mine, cartridge)
            if source is not None:
                check(source)
            mine["releases"] = sorted({*mine["releases"], release})

    async def copy(self, gear: Gear, release: ReleaseId, source: GearId, by: Lease) -> None:
        """See Node."""
        with self.changing("copy", gear.id, by, release) as state:
            mine = there(state, gear.id)
            if release not in mine["releases"]:
                has_release(there(state, source), release)
                mine["releases"] = sorted({*mine["releases"], release})

    async def keep(self, gear: Gear, releases: Collection[ReleaseId], by: Lease) -> None:
        """See Node."""
        with self.changing("keep", gear.id, by) as state:
            mine = state["gears"].get(gear.id, {"releases": [], "active": None})
            mine["releases"] = sorted({*mine["releases"]} & set(releases))
            if mine["active"] not in mine["releases"]:
                mine["active"] = None

    async def activate(self, gear: Gear, release: ReleaseId | None, by: Lease) -> None:
        """See Node."""
        with self.changing("activate", gear.id, by, str(release)) as state:
            if release is not None:
                has_release(there(state, gear.id), release)
            if gear.id in state["gears"]:
                state["gears"][gear.id]["active"] = release

    async def serve(
        self, gear: Gear, cartridge: Cartridge, instances: Collection[Instance], by: Lease
    ) -> None:
        """See Node."""
        about = [cartridge.name, *(one.release for one in instances)]
        with self.changing("serve", gear.id, by, *about) as state:
            if gear.id not in state["gears"] and not instances:
                return
            mine = there(state, gear.id)
            if instances:
                has_cartridge(mine, cartridge)
            wanted = {one.id: one.release for one in instances}
            for release in wanted.values():
                has_release(mine, release)
            for id, release in wanted.items():
                if id not in mine["instances"]:
                    state["port"] += 1
                    mine["instances"][id] = {"release": release, "port": state["port"]}
            mine["instances"] = {id: mine["instances"][id] for id in wanted}

    async def control(self, gear: Gear, cartridge: Cartridge, action: Action, by: Lease) -> str:
        """See Node."""
        with self.changing("control", gear.id, by, cartridge.name, action) as state:
            mine = there(state, gear.id)
            if action is Action.TIDY:
                return "0"
            if action is Action.KILL:
                mine["instances"] = {}
                return ""
            if not mine["instances"] or not cartridge.knows(action):
                raise Refused(f"nothing runs here that listens to {action}")
            return f"{action} of {' '.join(mine['instances'])}"

    async def observe(self, gear: GearId, *, patience: float = 0.0) -> GearReport:
        """See Node."""
        with self.store.change() as state:
            fail(state, "observe", {gear})
            mine = state["gears"].get(gear)
            if mine is None:
                return GearReport(gear, present=False)
            return report(state, gear, mine)

    async def gears(self) -> set[GearId]:
        """See Node."""
        with self.store.change() as state:
            return {GearId(id) for id in state["gears"]}

    async def over(self) -> set[GearId]:
        """See Node."""
        with self.store.change() as state:
            return {GearId(id) for id in state["gears"] if planted(state, "over", {id}, {"full"})}

    async def sweep(self) -> list[str]:
        """See Node; a gear that is pretended leaves nothing."""
        return []

    async def isolation(self) -> tuple[Aspect, ...]:
        """See Node; what runs nothing shares nothing."""
        return ()

    async def close(self) -> None:
        """See Node."""

    @contextmanager
    def changing(self, call: str, gear: GearId, by: Lease, *about: str) -> Iterator[State]:
        """The state for one call, after its lease and the faults; tells of the effect."""
        with self.store.change() as state:
            if by.order < tuple(state["fences"].get(gear, (0, 0))):
                raise LeaseLost(f"a later lease than job {by.job} has worked on gear {gear}")
            state["fences"][gear] = list(by.order)
            fail(state, call, {gear, *about})
            before = repr(state["gears"].get(gear))
            yield state
            changed = before != repr(state["gears"].get(gear))
            self.store.tell(Effect(call, gear, " ".join(about), by.job, by.number, changed))


def new_gear(gear: Gear) -> State:
    """A gear with nothing in it."""
    return {
        "application": gear.application,
        "slot": gear.slot,
        "size": gear.size.name,
        "cartridges": [],
        "releases": [],
        "active": None,
        "variables": {},
        "instances": {},
    }


def there(state: State, gear: GearId) -> State:
    """The gear, or Refused."""
    if gear not in state["gears"]:
        raise Refused(f"there is no gear {gear} on this node")
    mine: State = state["gears"][gear]
    return mine


def has_cartridge(mine: State, cartridge: Cartridge) -> None:
    """Refused unless the cartridge was installed."""
    if cartridge.name not in mine["cartridges"]:
        raise Refused(f"cartridge {cartridge.name} is not installed in this gear")


def has_release(mine: State, release: ReleaseId) -> None:
    """Refused unless the release was built."""
    if release not in mine["releases"]:
        raise Refused(f"release {release} was not built in this gear")


def fail(state: State, call: str, names: set[str]) -> None:
    """Raise what was planted for this call, if anything was."""
    fault = planted(state, call, names, {"refused", "transient"})
    if fault is None:
        return
    if fault["times"] is not None:
        fault["times"] -= 1
    message = f"{call} was planted to fail"
    raise Refused(message) if fault["error"] == "refused" else Transient(message)


def planted(state: State, call: str, names: set[str], errors: set[str]) -> State | None:
    """The first fault for this call that is not used up."""
    for fault in state["faults"]:
        fits = fault["call"] in (call, "*") and (fault["on"] == "*" or fault["on"] in names)
        if fits and fault["error"] in errors and fault["times"] != 0:
            found: State = fault
            return found
    return None


def report(state: State, gear: GearId, mine: State) -> GearReport:
    """The gear as it would be seen."""
    return GearReport(
        gear,
        present=True,
        place=Place(HOST, FIRST_UID + mine["slot"]),
        cartridges=frozenset(mine["cartridges"]),
        releases=frozenset(ReleaseId(one) for one in mine["releases"]),
        active=mine["active"],
        variables=frozenset(mine["variables"]),
        instances=tuple(
            seen(state, gear, InstanceId(id), one) for id, one in mine["instances"].items()
        ),
    )


def seen(state: State, gear: GearId, id: InstanceId, one: State) -> InstanceReport:
    """An instance that is up, or crashed where that was planted."""
    release = ReleaseId(one["release"])
    address = f"{HOST}:{one['port']}"
    if planted(state, "observe", {gear, id, release}, {"crashed"}):
        why = "it was planted to crash"
        return InstanceReport(id, release, InstanceState.CRASHED, address, restarts=3, why=why)
    if planted(state, "observe", {gear, id, release}, {"silent"}):
        said = "it was planted to be silent"
        return InstanceReport(id, release, InstanceState.STARTING, address, said=said)
    return InstanceReport(id, release, InstanceState.UP, address)
