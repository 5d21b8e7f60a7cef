"""What every node is told when it is made."""

from dataclasses import dataclass
from pathlib import Path

BUILD_ENV = ("PIP_*", "UV_*", "npm_config_*", "*_PROXY", "*_proxy", "SSL_CERT_*")


@dataclass(frozen=True)
class NodeSetting:
    """Where a node keeps its things, and how far it trusts what it runs."""

    data: Path  # everything that is kept
    run: Path  # sockets; short, since a socket's path has at most 107 bytes
    sandbox: bool = True
    share: tuple[str, ...] = ()  # what root's gears need not have: network, limits, disk
    network: str = ""  # of gears; a free one if empty
    build_env: tuple[str, ...] = BUILD_ENV  # the operator's variables that builds may see
