"""Aliases: further host names that an application answers at."""

import re

from windlass.errors import Refused

LONGEST = 255  # characters of a host name (RFC 1035)
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# A member of the API's list could not be told from a format of it.
SUFFIXES = (".json", ".xml", ".yml", ".yaml", ".html", ".xhtml")


def check_alias(text: str, apps_domain: str) -> str:
    """The host name in small letters, or Refused with what one may look like."""
    name = text.strip().lower().rstrip(".")
    labels = name.split(".")
    whole = len(labels) > 1 and all(LABEL.fullmatch(one) for one in labels)
    if not whole or len(name) > LONGEST or labels[-1].isdigit() or name.endswith(SUFFIXES):
        raise refused(f"an alias is a host name, as in www.example.com, not {text[:64]!r}")
    if name == apps_domain or name.endswith(f".{apps_domain}"):
        raise refused(f"names below {apps_domain} are given out by the platform itself")
    return name


def refused(why: str) -> Refused:
    """OpenShift's code for an alias that cannot be."""
    return Refused(why, field="id", code=105)
