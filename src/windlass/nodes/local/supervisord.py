"""supervisord, whose children become what their records tell of without one more Python.

That, and closing thousands of files which close by themselves, took 15 ms of every start.
"""

import os
import resource
import signal
import traceback
from collections.abc import Mapping, Sequence

from supervisor import supervisord
from supervisor.options import ServerOptions

from windlass.nodes.local import launch

FILES = 8192  # that may be open; three for each program


def version() -> tuple[int, ...] | None:
    """Which launcher there is now: we outlive upgrades."""
    try:
        told = os.stat(launch.__file__)  # noqa: PTH116
    except FileNotFoundError:
        return None
    return told.st_dev, told.st_ino, told.st_mtime_ns, told.st_size


OURS = version()


class Options(ServerOptions):  # type: ignore[misc]
    """What supervisord asks of the system."""

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Become a program: each is a launcher's, with the path of its record.

        By the launcher itself, if it is not the one any more that we know. Whoever it is ends with
        us: nobody could tell it anything any more.
        """
        if version() != OURS:
            return super().execve(filename, argv, env)  # type: ignore[no-any-return]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ours until here, and nobody would hear it
        try:
            launch.become(argv[-1], farewell=signal.SIGTERM)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
            os._exit(1)


def main() -> None:
    """Run, with as many files as we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    supervisord.ServerOptions = Options
    supervisord.main()


if __name__ == "__main__":
    main()
