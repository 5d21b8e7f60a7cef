"""Homes: made, given their variables and cartridges, and taken away."""

import os
import re
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from windlass.errors import Refused
from windlass.model.cartridges import Cartridge
from windlass.model.gears import Gear, Place
from windlass.model.ids import AppId, GearId
from windlass.model.sizes import size_of
from windlass.nodes.local import disks
from windlass.nodes.local.commands import launch, must
from windlass.nodes.local.fence import Held
from windlass.nodes.local.files import in_thread, link, read_json, write, write_json
from windlass.nodes.local.ground import FIRST_UID, HOST, Gate, Ground
from windlass.nodes.local.launch import Record
from windlass.nodes.local.layout import Home
from windlass.nodes.local.sandbox import INSIDE, Bind

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}")


def make(ground: Ground, gear: Gear) -> Place:
    """The folders of a home; its record comes last."""
    home = ground.home(gear.id)
    home.folder.mkdir(exist_ok=True)
    link(home.slot, str(gear.slot))
    with ThreadPoolExecutor(1) as hand:  # side by side: each waits for programs
        network = hand.submit(connect, ground, gear)
        furnish(ground, gear)
        network.result()
    uid = lay_out(ground, gear)
    address = address_of(ground, gear.slot)
    write_json(home.place, {"uid": uid, "address": address, "size": gear.size.name})
    return Place(address, uid)


def folders(home: Home) -> tuple[Path, ...]:
    """What a home has beside the gear's own folder."""
    return home.cartridges, home.instances, home.logs, home.deployments


def lay_out(ground: Ground, gear: Gear) -> int:
    """The folders of a home, and their owners; the gear's uid."""
    home = ground.home(gear.id)
    uid = FIRST_UID + gear.slot if ground.as_root else os.getuid()
    gid = uid if ground.as_root else os.getgid()
    for folder in folders(home):
        folder.mkdir(exist_ok=True)
    # Others may not enter; the gear itself may, and reads what is not hidden on purpose.
    give(ground, home.folder, 0, gid, 0o750)
    give(ground, home.instances, 0, 0, 0o700)
    if not home.root.exists():
        make_root(ground, home, uid, gid)
    return uid


def address_of(ground: Ground, slot: int) -> str:
    """Where the gear in a slot answers."""
    return HOST if ground.network is None else ground.network.address(slot)


def check_address(ground: Ground, gear: Gear) -> None:
    """Refused if the gear was made in another network: it is known everywhere by its address."""
    made = read_json(ground.home(gear.id).place)["address"]
    if made != (now := address_of(ground, gear.slot)):
        raise Refused(
            f"gear {gear.id} was made at {made}, and would be at {now} now: start with the "
            "--gear-network and the --share that there were, or delete the applications first"
        )


def stand(ground: Ground, gear: Gear) -> None:
    """What a home has beside its files: a disk, a network, a control group. A reboot ends them.

    What a loss of power took of its folders is made again.
    """
    furnish(ground, gear)
    connect(ground, gear)
    home = ground.home(gear.id)
    if not all(folder.is_dir() for folder in (*folders(home), home.root)):
        lay_out(ground, gear)


def furnish(ground: Ground, gear: Gear) -> None:
    """The gear's disk and control group."""
    home = ground.home(gear.id)
    if ground.apart("disk"):
        disks.add(home, gear.size.disk)
    else:
        home.disk.mkdir(exist_ok=True)
    if ground.cgroups is not None:
        ground.cgroups.add(gear.id, gear.size)


def connect(ground: Ground, gear: Gear) -> None:
    """The gear's network."""
    if ground.network is not None:
        ground.network.add(gear.slot)


def fall(ground: Ground, gear: GearId) -> None:
    """None of that is there any more; the files are. Nothing of the gear runs."""
    home = ground.home(gear)
    if ground.cgroups is not None:
        ground.cgroups.remove(gear)
    if ground.network is not None and (slot := slot_of(home)) is not None:
        ground.network.remove(slot)
    if ground.apart("disk"):
        disks.remove(home)


def slot_of(home: Home) -> int | None:
    """The gear's number, if there ever was such a gear."""
    try:
        return int(str(home.slot.readlink()))
    except FileNotFoundError:
        return None


def housed(ground: Ground) -> list[Gear]:
    """Every gear that is whole, as far as its home tells."""
    found = []
    for folder in sorted(ground.layout.gears.iterdir()):
        home, slot = Home(folder), slot_of(Home(folder))
        record = read_json(home.place)
        if record is not None and slot is not None:
            found.append(Gear(GearId(folder.name), AppId(""), slot, size_of(record["size"])))
    return found


def make_root(ground: Ground, home: Home, uid: int, gid: int) -> None:
    """The gear's own folder, made where the gear cannot reach it and then renamed."""
    fresh = home.disk / ".app-root.new"
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "data").mkdir(parents=True)
    for folder in (fresh / "data", fresh):
        give(ground, folder, uid, gid, 0o700)
    fresh.rename(home.root)


def give(ground: Ground, folder: Path, uid: int, gid: int, mode: int) -> None:
    """Set a folder's mode, and its owner where we may."""
    folder.chmod(mode)
    if ground.as_root:
        os.chown(folder, uid, gid, follow_symlinks=False)


async def delete(held: Held, *paths: Path) -> None:
    """Delete trees, whatever their owners have made of them; links are not followed."""
    there = [str(path) for path in paths if os.path.lexists(path)]
    if there:
        locked = [] if os.geteuid() == 0 else [one for one in there if folder(one)]
        if locked:  # root enters without
            await must(held, "chmod", "-R", "u+rwX", "--", *locked)
        await must(held, "rm", "-rf", "--one-file-system", "--", *there)


def folder(path: str) -> bool:
    """Whether this is a folder and no link to one."""
    return Path(path).is_dir() and not Path(path).is_symlink()


def publish(home: Home, variables: Mapping[str, str]) -> None:
    """Replace the whole set at once: entries `NAME=value`, each ended by a NUL."""
    for name, value in variables.items():
        if not VARIABLE.fullmatch(name) or "\0" in value:
            raise Refused(f"{name!r} cannot be a variable: letters, digits and '_', no NUL inside")
    write(home.variables, "".join(f"{name}={value}\0" for name, value in variables.items()))


def published(home: Home) -> frozenset[str]:
    """The names of the gear's variables."""
    try:
        return frozenset(Record(home.variables.read_bytes()).told)
    except FileNotFoundError:
        return frozenset()


async def install(held: Held, gate: Gate, cartridge: Cartridge) -> None:
    """Copy the cartridge into the home and run its `bin/install`; done once."""
    there = gate.home.cartridge(cartridge.name)
    if there.is_dir():
        return
    ground = gate.ground
    fresh = there.with_name(f".{there.name}.new")
    await delete(held, fresh)
    await in_thread(ground.pool, copy, cartridge.folder, fresh)
    if (fresh / "bin" / "install").exists():
        program = f"{gate.cartridges}/{fresh.name}/bin/install"
        done = await launch(held, gate.launch([program], gate.environment()))
        if done.code != 0:
            raise Refused(
                f"cartridge {cartridge.name} cannot be installed: its bin/install ended with "
                f"{done.code}\n{done.last_lines}"
            )
    await in_thread(ground.pool, disks.sync, gate.home)
    fresh.rename(there)


def copy(source: Path, target: Path) -> None:
    """A cartridge's folder, readable by gears, its programs fit to be run."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [target, *target.rglob("*")]:
        runs = path.is_dir() or path.parent == target / "bin"
        path.chmod(0o755 if runs else 0o644)


def release_bind(folder: Path, name: str, writable: bool = False) -> Bind:
    """A release where its programs look for it."""
    return Bind(str(folder), f"{INSIDE}/app-deployments/{name}", writable)
