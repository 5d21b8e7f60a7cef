"""What all gears share: uv, and the web servers of our cartridges; fetched once."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import uv

from windlass.errors import Refused, Transient
from windlass.nodes.local.files import locked
from windlass.nodes.local.layout import Layout

SYSTEM_PYTHON = "/usr/bin/python3"
FETCHED = {  # each into a folder of its own: what is in `python`, applications may import
    "python": ("gunicorn>=22,<25", "uvicorn>=0.30,<1", "websockets>=12"),
    "static": ("starlette>=0.45,<1",),
}


def prepare(layout: Layout) -> None:
    """Have it all there; each part comes by one rename, so that a crash leaves it out or whole."""
    layout.shared.mkdir(parents=True, exist_ok=True)
    with locked(layout.shared / ".lock"):
        copy_uv(layout.shared / "bin" / "uv")
        for name, packages in FETCHED.items():
            fetch(layout.shared / name, packages)
    layout.shared.chmod(0o755)


def copy_uv(there: Path) -> None:
    """uv where gears may read it; again when windlass has come with another."""
    ours = Path(uv.find_uv_bin())
    if there.exists() and there.stat().st_size == ours.stat().st_size:
        return
    there.parent.mkdir(exist_ok=True)
    there.parent.chmod(0o755)
    fresh = there.with_name(".uv.new")
    shutil.copyfile(ours, fresh)
    fresh.chmod(0o755)
    fresh.replace(there)


def fetch(there: Path, packages: Sequence[str]) -> None:
    """Packages for the system's own python."""
    if there.is_dir():
        return
    if not Path(SYSTEM_PYTHON).exists():
        raise Refused(f"the cartridges need {SYSTEM_PYTHON}: apt install python3")
    fresh = there.with_name(f".{there.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--compile-bytecode"]
    command += ["--link-mode", "copy", "--python", SYSTEM_PYTHON, "--target", str(fresh), *packages]
    done = subprocess.run(
        command,
        cwd="/",
        env=uv_environment(os.environ),
        capture_output=True,
        text=True,
        umask=0o022,
    )
    if done.returncode != 0:
        raise Transient(f"the web servers cannot be fetched: {done.stderr.strip()[-1000:]}")
    fresh.chmod(0o755)
    fresh.rename(there)


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The operator's settings for uv; indexes may be told by pip's names."""
    env = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1", **environ}
    for ours, older, pip in (
        ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"),
        ("UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    ):
        if environ.get(pip) and not environ.get(ours) and not environ.get(older):
            env[ours] = environ[pip]
    return env
