"""Releases: unpacked and built beside the others, then renamed when whole."""

import fnmatch
import os
import shutil
import threading
from collections.abc import Collection, Mapping
from pathlib import Path

from windlass.archives import unpack
from windlass.errors import Refused
from windlass.model.cartridges import Cartridge
from windlass.model.ids import ReleaseId
from windlass.model.sizes import MIB
from windlass.nodes.local import disks
from windlass.nodes.local.commands import Ended, launch, must
from windlass.nodes.local.fence import Held
from windlass.nodes.local.files import in_thread, link, sync
from windlass.nodes.local.ground import Gate
from windlass.nodes.local.homes import delete, release_bind
from windlass.nodes.local.layout import Home
from windlass.nodes.local.sandbox import own_paths


async def build(
    held: Held, gate: Gate, cartridge: Cartridge, release: ReleaseId, source: Path | None
) -> None:
    """Make a release; one that is there is whole already."""
    if gate.home.release(release).is_dir():
        return
    if not gate.home.cartridge(cartridge.name).is_dir():
        raise Refused(f"cartridge {cartridge.name} is not installed in this gear")
    unfinished = gate.home.unfinished(release)
    await delete(held, unfinished)
    try:
        await fill(held, gate, cartridge, unfinished, source)
        if wants_build(cartridge, unfinished / "repo"):
            await must_build(held, gate, cartridge, release)
    except (Refused, OSError):
        await delete(held, unfinished)
        raise
    await finish(gate, release)


async def finish(gate: Gate, release: ReleaseId) -> None:
    """A release is whole, and on the disk before it says so: nobody will make it again."""
    await in_thread(gate.ground.pool, disks.sync, gate.home)
    gate.home.unfinished(release).rename(gate.home.release(release))
    sync(gate.home.deployments)


async def must_build(held: Held, gate: Gate, cartridge: Cartridge, release: ReleaseId) -> None:
    """Refused with the end of the output where the build fails, and why if the system did it."""
    before = killed(gate)
    done = await run(held, gate, cartridge, release)
    if done.code != 0:
        how = f"the build failed with exit status {done.code}"
        if killed(gate) > before:
            how += (
                f", for want of memory: a {gate.size.name} gear has {gate.size.memory // MIB} MiB"
            )
        raise Refused(f"{how}:\n{done.last_lines}")


def killed(gate: Gate) -> int:
    """How many of the gear's processes were killed for want of memory, ever."""
    return gate.ground.cgroups.killed(gate.gear) if gate.ground.cgroups else 0


async def fill(
    held: Held, gate: Gate, cartridge: Cartridge, unfinished: Path, source: Path | None
) -> None:
    """Put the source in place. Nobody but us can enter until it is whole and the gear's own."""
    unfinished.mkdir(mode=0o700)
    for name in ("repo", "dependencies"):
        (unfinished / name).mkdir()
    if source is None:
        template = gate.home.cartridge(cartridge.name) / "template"
        await in_thread(gate.ground.pool, template_to, template, unfinished, gate)
        unfinished.chmod(0o755)
    else:
        await unpacked(gate, source, unfinished / "repo")
        await hand_over(held, gate, unfinished)


async def hand_over(held: Held, gate: Gate, unfinished: Path) -> None:
    """What is whole becomes the gear's own, which may enter from now on."""
    if gate.ground.as_root:
        owner = f"{gate.place.uid}:{gate.place.uid}"
        await must(held, "chown", "-R", "-h", owner, "--", *map(str, unfinished.iterdir()))
    unfinished.chmod(0o755)


async def copy(held: Held, gate: Gate, release: ReleaseId, source: Home) -> None:
    """Copy a release from another gear of the application; one that is there is whole already.

    Nobody changes the source meanwhile: its job is ours too, and its scope keeps others away.
    """
    if gate.home.release(release).is_dir():
        return
    if not source.release(release).is_dir():
        raise Refused(f"release {release} was not built in gear {source.folder.name}")
    unfinished = gate.home.unfinished(release)
    await delete(held, unfinished)
    unfinished.mkdir(mode=0o700)
    parts = map(str, source.release(release).iterdir())
    await must(held, "cp", "-a", "--", *parts, str(unfinished))
    await hand_over(held, gate, unfinished)
    await finish(gate, release)


def template_to(template: Path, unfinished: Path, gate: Gate) -> None:
    """The cartridge's first application, small and known: the gear's own without a `chown`."""
    if template.is_dir():
        shutil.copytree(template, unfinished / "repo", dirs_exist_ok=True)
    if gate.ground.as_root:
        for path in unfinished.rglob("*"):
            os.chown(path, gate.place.uid, gate.place.uid, follow_symlinks=False)


async def unpacked(gate: Gate, source: Path, repo: Path) -> None:
    """Unpack in a thread, which ends with this call."""
    stop = threading.Event()

    def work() -> None:
        unpack(source, repo, stop.is_set)

    await in_thread(gate.ground.pool, work, stop=stop)


def wants_build(cartridge: Cartridge, repo: Path) -> bool:
    """Whether there is anything to build: a program in the gear takes a tenth of a second."""
    return not cartridge.builds or any(os.path.lexists(repo / name) for name in cartridge.builds)


async def run(held: Held, gate: Gate, cartridge: Cartridge, release: ReleaseId) -> Ended:
    """Run `bin/build` with the operator's variables for builds."""
    setting = gate.ground.setting
    unfinished = gate.home.unfinished(release)
    told = chosen(os.environ, setting.build_env)
    env = {**told, **gate.environment(release)}
    if not setting.sandbox:
        env["OPENSHIFT_REPO_DIR"] = f"{unfinished}/repo/"
        env["OPENSHIFT_DEPENDENCIES_DIR"] = f"{unfinished}/dependencies/"
    binds = (release_bind(unfinished, release, writable=True), *own_paths(told))
    program = gate.launch(
        [gate.cartridge(cartridge.name, "build")],
        env,
        binds=binds,
        directory=env["OPENSHIFT_REPO_DIR"],
    )
    return await launch(held, program, log=unfinished / "build.log")


def chosen(environ: Mapping[str, str], patterns: Collection[str]) -> dict[str, str]:
    """The variables whose names fit a pattern."""
    return {
        name: value
        for name, value in environ.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }


async def keep(held: Held, home: Home, releases: Collection[ReleaseId]) -> None:
    """Delete every other release, and what was left of unfinished ones."""
    if home.deployments.is_dir():
        gone = [path for path in home.deployments.iterdir() if path.name not in releases]
        await delete(held, *gone)


def activate(home: Home, release: ReleaseId | None) -> None:
    """Point `current` at a release, or at none."""
    if release is None:
        return home.current.unlink(missing_ok=True)
    if not home.release(release).is_dir():
        raise Refused(f"release {release} was not built in this gear")
    link(home.current, home.release(release).relative_to(home.folder))


def active(home: Home) -> ReleaseId | None:
    """The release that `current` points at, if it is there."""
    if not home.current.is_dir():
        return None
    return ReleaseId(home.current.readlink().name)
