"""`windlassd doctor`: look at all that must be well on this machine."""

import asyncio
import sys
from collections.abc import Iterator

from windlass.daemon import apart, checks
from windlass.daemon.checks import Check
from windlass.daemon.options import takes
from windlass.daemon.say import say
from windlass.daemon.standing import Standing
from windlass.daemon.supervision import routed
from windlass.settings import Settings


@takes()
def doctor(settings: Settings) -> None:
    """Look at all that must be well on this machine, and name the fix of what is not."""
    found = list(looked_at(settings))
    width = max(len(check.name) for check in found)
    for check in found:
        say(f"{'problem' if check.trouble else 'ok':8} {check.name:{width}}  {sentence(check)}")
    for one in apart.sharing(settings) if checks.on_this_machine(settings) else ():
        say(f"{one.kept:8} {one.name:{width}}  {one.note}")
    sys.exit(1 if any(check.trouble for check in found) else 0)


def looked_at(settings: Settings) -> Iterator[Check]:
    """Every check; one that concerns a port, only while it is not ours already."""
    yield checks.data_writable(settings.data)
    yield checks.sockets_short(settings.data)
    if checks.needs_sandbox(settings):
        yield checks.sandbox()
        yield apart.gears(settings)
    if checks.on_this_machine(settings):
        yield asyncio.run(apart.left_behind(settings))
    yield checks.system_python()
    yield checks.program("git", "people deploy with it")
    if not checks.not_running(settings.data).trouble:
        yield checks.port_free(settings.listen, "listen")
    if not asyncio.run(routed(settings)):
        yield checks.port_free(settings.apps, "apps")
    yield broker(settings)


def broker(settings: Settings) -> Check:
    """Whether a broker runs on this data folder; both are well."""
    standing = Standing.read(settings.data)
    if standing and standing.up and standing.up.alive:
        return Check("broker", f"runs (process {standing.up.pid})")
    return Check("broker", "does not run; `windlassd up` starts it")


def sentence(check: Check) -> str:
    """What was found and, if that is trouble, what to do."""
    return "; ".join(part for part in (check.said, check.trouble, check.fix) if part)
