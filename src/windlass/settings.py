"""One frozen record of everything that can be set, read once from flags, environment and file."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import GenericAlias
from typing import Any, Self

from windlass.errors import Refused

SHAREABLE = ("network", "limits", "disk")
STORES = ("sqlite:///", "postgresql://", "postgres://")


def setting(default: Any, help: str) -> Any:
    """A field of Settings, with the sentence that `--help` shows."""
    return field(default=default, metadata={"help": help})


def default_data() -> Path:
    """Where data lie if nobody says: /var/lib/windlass as root, else the user's data folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/windlass")
    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "windlass"


@dataclass(frozen=True)
class Settings:
    """What the daemon was told; a field is a flag, a WINDLASS_* variable and a key of the file."""

    data: Path = setting(Path(), "folder of everything that windlass keeps")
    listen: str = setting("127.0.0.1:8000", "where the API listens")
    apps: str = setting("127.0.0.1:8080", "where the router listens for the applications' traffic")
    apps_domain: str = setting("localhost", "applications answer at NAME-DOMAIN.<this>")
    public_url: str = setting("", "the API's URL as its users know it; http://<listen> if empty")
    trusted_proxies: tuple[str, ...] = setting((), "addresses whose X-Forwarded-* headers count")
    behind_proxy: bool = setting(
        False, "a proxy in front speaks TLS: listening beyond loopback is fine"
    )
    database: str = setting(
        "", "sqlite:///FILE or postgresql://...; a file in the data folder if empty"
    )
    queue: str = setting(
        "datastore:",
        "what rings when a job is ready: datastore:, beanstalkd://HOST:PORT[,...], redis://HOST:PORT",
    )
    node: str = setting("local:", "what runs the gears: local:, file:/FOLDER, memory:")
    workers: int = setting(1, "worker processes that `up` starts")
    slots: int = setting(10, "jobs that one worker process runs side by side")
    tubes: tuple[str, ...] = setting(
        ("default",), "the lines that a worker serves, with their shares: fast:4,slow"
    )
    recycle: int = setting(0, "jobs after which a worker process is replaced; 0: never")
    hook: str = setting("", "a command that hears, as JSON on stdin, of jobs that need a person")
    keep_steps: float = setting(
        1, "hours that a complete job keeps its steps and log; a compact history stays"
    )
    keep_jobs: float = setting(30, "days that a job is kept after its end, 1 or more")
    cartridges: tuple[Path, ...] = setting((), "more folders with cartridges")
    build_env: tuple[str, ...] = setting(
        ("PIP_*", "UV_*", "npm_config_*", "*_PROXY", "*_proxy", "SSL_CERT_*"),
        "environment variables that builds may see",
    )
    no_quickstart: bool = setting(False, "do not make the domain demo and the application hello")
    gear_network: str = setting(
        "", "as root: the gears' own network, as in 198.18.4.0/22; a free part of 198.18.0.0/15"
    )
    share: tuple[str, ...] = setting(
        (), "as root: what gears need not have of their own: network, limits, disk"
    )
    insecure_no_sandbox: bool = setting(
        False, "run gears without a sandbox; only for your own code"
    )

    @property
    def database_url(self) -> str:
        """The datastore's URL; SQLite in the data folder unless set."""
        return self.database or f"sqlite:///{self.data / 'windlass.db'}"

    @property
    def url(self) -> str:
        """The API's URL without a slash at its end."""
        return (self.public_url or f"http://{self.listen}").rstrip("/")

    @classmethod
    def read(cls, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Self:
        """Flags first, then WINDLASS_*, then `windlass.toml` in the data folder, then defaults.

        Raises Refused with the name of the setting that cannot be read.
        """
        told = {name: value for name, value in flags.items() if value not in (None, (), [])}
        said = {
            one.name: environ[variable]
            for one in fields(cls)
            if (variable := f"WINDLASS_{one.name.upper()}") in environ
        }
        data = Path(told.get("data") or said.get("data") or default_data()).absolute()
        values = {**from_file(data / "windlass.toml"), **said, **told, "data": data}
        unknown = set(values) - {one.name for one in fields(cls)}
        if unknown:
            raise Refused(f"there is no setting {sorted(unknown)[0]!r}")
        settings = replace(
            cls(), **{name: parsed(cls, name, value) for name, value in values.items()}
        )
        return settings.checked()

    def checked(self) -> Self:
        """These settings, or Refused with the one that cannot be."""
        for name in ("listen", "apps"):
            address(getattr(self, name), f"--{name}")
        if self.database and not self.database.startswith(STORES):
            raise Refused("--database is sqlite:///FILE or postgresql://USER@HOST:PORT/NAME")
        host, _ = address(self.listen, "--listen")
        if not is_loopback(host) and not self.behind_proxy:
            raise Refused(
                f"--listen {self.listen} is open to others without TLS: put a proxy with TLS "
                "in front and say --behind-proxy, or listen on 127.0.0.1"
            )
        if host in ("0.0.0.0", "::") and not self.public_url:
            raise Refused(f"--listen {self.listen} has no name of its own: say --public-url too")
        if self.workers < 0 or self.slots < 1 or self.recycle < 0:
            raise Refused("--workers and --recycle are 0 or more, --slots 1 or more")
        if not self.keep_steps >= 0:
            raise Refused("--keep-steps is 0 or more hours")
        if not self.keep_jobs >= 1:  # for a day an Idempotency-Key leads to its job
            raise Refused("--keep-jobs is 1 day or more")
        if unknown := set(self.share) - set(SHAREABLE):
            raise Refused(f"--share is {', '.join(SHAREABLE)}, not {sorted(unknown)[0]!r}")
        if not self.shares:
            raise Refused("--tubes names at least one tube, as in default or fast:4,slow")
        return self

    @property
    def shares(self) -> dict[str, int]:
        """The tubes with their shares; Refused for a share that is none."""
        shares = {}
        for one in self.tubes:
            tube, _, share = one.partition(":")
            if not tube or (share and not (share.isascii() and share.isdigit() and int(share))):
                raise Refused(f"--tubes wants NAME or NAME:SHARE, as in fast:4, not {one!r}")
            shares[tube] = int(share or 1)
        return shares


def from_file(path: Path) -> dict[str, Any]:
    """What the settings file says, if there is one."""
    try:
        return {
            name.replace("-", "_"): value for name, value in tomllib.loads(path.read_text()).items()
        }
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError:
        raise Refused(f"{path} cannot be read by you; say another --data") from None
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{path} is not TOML: {error}") from None


def parsed(cls: type[Settings], name: str, value: Any) -> Any:
    """A value as its field wants it, from text where it comes from the environment."""
    kind = cls.__annotations__[name]
    try:
        if kind is bool:
            return value if isinstance(value, bool) else truth(str(value))
        if isinstance(kind, GenericAlias):
            items = value.split(",") if isinstance(value, str) else value
            return tuple(kind.__args__[0](item) for item in items if str(item).strip())
        return kind(value)
    except (ValueError, TypeError):
        raise Refused(f"{name.replace('_', '-')} cannot be {value!r}") from None


def truth(text: str) -> bool:
    """Yes or no, in the ways that people write it."""
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("", "0", "false", "no", "off"):
        return False
    raise ValueError(text)


def address(text: str, name: str) -> tuple[str, int]:
    """HOST:PORT taken apart; Refused if it is none."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise Refused(f"{name} wants HOST:PORT, as in 127.0.0.1:8000, not {text!r}")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    return host == "localhost" or host == "::1" or host.startswith("127.")
