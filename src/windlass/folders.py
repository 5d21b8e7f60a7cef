"""Where things lie: the data folder, and the run folder with its sockets."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from windlass.errors import Refused

RUN = "run"  # in the data folder, a link to the run folder
SOCKET_LIMIT = 107  # bytes, of a Unix socket's path on Linux
LONGEST_SOCKET = "supervisor.sock.99999"  # supervisord binds a name of its own first


def run_folder(data: Path) -> Path:
    """The folder of this installation's sockets: the one that `up` has made, or would make."""
    try:
        # Kept, since `down` may be called with another environment than `up` was.
        if (kept := (data / RUN).readlink()).is_dir():
            return kept
    except OSError:
        pass
    return own_run_folder(data, os.environ, os.geteuid())


def own_run_folder(data: Path, environ: Mapping[str, str], uid: int) -> Path:
    """Another folder for each data folder, so that several installations live side by side."""
    return run_parent(environ, uid) / hashlib.sha256(os.fsencode(data)).hexdigest()[:8]


def run_parent(environ: Mapping[str, str], uid: int) -> Path:
    """/run/windlass as root, else below the user's own run or cache folder."""
    if uid == 0:
        return Path("/run/windlass")
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "windlass"
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "windlass" / "run"


def make_run_folder(data: Path) -> Path:
    """The run folder, made if missing; others may pass through root's, to a socket."""
    folder = run_folder(data)
    mode = 0o711 if os.geteuid() == 0 else 0o700
    for part in (folder.parent, folder):
        part.mkdir(mode=mode, parents=True, exist_ok=True)
        part.chmod(mode)
    link = data / RUN
    if not link.is_symlink() or link.readlink() != folder:
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    return folder


def make_data_folder(data: Path) -> None:
    """The data folder, made if missing; as root others may pass through, but list nothing."""
    try:
        data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"cannot make {data} ({error.strerror}); say another --data") from None


def too_long(folder: Path) -> bool:
    """Whether a socket in this folder would have a longer path than the kernel takes."""
    return len(os.fsencode(folder / LONGEST_SOCKET)) > SOCKET_LIMIT


def remove_run_folder(data: Path) -> None:
    """Take the run folder away; nobody listens there any more."""
    shutil.rmtree(run_folder(data), ignore_errors=True)
