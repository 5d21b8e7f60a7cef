"""Saved logins, one a cluster, and which of them a command talks to."""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from windlass.cli.fate import Fate, Stop

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Login:
    """Where a cluster is, and the token that opens it."""

    url: str
    token: str | None = None
    login: str | None = None
    token_id: str | None = None  # unknown where the token was made elsewhere


@dataclass(frozen=True)
class Session:
    """All saved logins; `current` is the one that a command uses if nobody says."""

    current: str | None = None
    clusters: dict[str, Login] = field(default_factory=dict)

    def with_login(self, name: str, login: Login) -> "Session":
        """The same and this login, which is now the current one."""
        return Session(name, {**self.clusters, name: login})

    def without(self, name: str) -> "Session":
        """The same but for this login."""
        rest = {known: login for known, login in self.clusters.items() if known != name}
        current = self.current if self.current in rest else next(iter(rest), None)
        return Session(current, rest)

    def choose(self, cluster: str | None, env: Mapping[str, str]) -> Login:
        """The login for a command: a flag goes before the environment, that before the file."""
        if cluster is None and (url := env.get("WINDLASS_URL")):
            saved = next(
                (one for one in self.clusters.values() if one.url == url.rstrip("/")), None
            )
            # A token goes only to the server that gave it.
            token = env.get("WINDLASS_TOKEN") or (saved.token if saved else None)
            return Login(checked_url(url), checked_token(token))
        name = cluster or env.get("WINDLASS_CLUSTER") or self.current
        if name is not None and name not in self.clusters:
            raise Stop(Fate.USAGE, f"There is no cluster {name} here.", next=self._known())
        login = self.clusters[name] if name else Login(DEFAULT_URL)
        if cluster is None and (token := env.get("WINDLASS_TOKEN")):
            return Login(login.url, checked_token(token))
        return login

    def _known(self) -> str:
        if not self.clusters:
            return "windlass login URL --as NAME"
        return f"windlass --cluster {next(iter(sorted(self.clusters)))} …"


def session_file(env: Mapping[str, str] = os.environ) -> Path:
    """Where logins are kept."""
    home = env.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "windlass" / "session.json"


def load() -> Session:
    """Read the saved logins; none is a fine answer."""
    file = session_file()
    try:
        saved: dict[str, Any] = json.loads(file.read_text())
        clusters = {name: Login(**login) for name, login in saved["clusters"].items()}
        return Session(saved["current"], clusters)
    except FileNotFoundError:
        return Session()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stop(
            Fate.NOT_ALLOWED,
            f"The saved logins cannot be read ({error}).",
            next=f"rm {file} && windlass login",
        ) from error


def save(session: Session) -> None:
    """Write the logins in one go, for nobody else to read."""
    file = session_file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.parent.chmod(0o700)
    text = json.dumps(asdict(session), indent=2) + "\n"
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".session-")  # made with mode 0600
    try:
        with os.fdopen(handle, "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def checked_url(url: str) -> str:
    """The URL of a server as we keep it, or a sentence on what is wrong with it."""
    if "://" not in url:
        host = url.partition("/")[0].rpartition(":")[0] or url
        near = host in ("localhost", "[::1]") or host.startswith("127.")
        url = f"{'http' if near else 'https'}://{url}"
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    if scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise Stop(
            Fate.USAGE, f"{url} is not the URL of a server.", next=f"windlass login {DEFAULT_URL}"
        )
    if "@" in host:
        raise Stop(Fate.USAGE, "A URL here has no login and no password in it; they are asked for.")
    return url.rstrip("/").removesuffix("/broker/rest")


def checked_token(token: str | None) -> str | None:
    """The token, if it can travel in a header."""
    if token is None or (token.isascii() and token.isprintable() and " " not in token):
        return token
    raise Stop(Fate.NOT_ALLOWED, "That is no token: it has spaces or letters that no token has.")
