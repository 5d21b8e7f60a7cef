"""Files of variables: a line each, NAME=VALUE, as `.env` files have them."""

import re

from windlass.cli.fate import Fate, Stop

START = re.compile(r"(?:export[ \t]+)?([^\s=#]+)[ \t]*=")
BARE = re.compile(r"[^\n]*?(?=[ \t]+#|[ \t]*(?:\n|\Z))")
QUOTE = re.compile(r"""[ \t]*(['"])""")
SINGLE = re.compile(r"'([^']*)'")
DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
REST = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
EMPTY = re.compile(r"[ \t]*(?:#[^\n]*)?\n")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\n": ""}


def parse(text: str, source: str) -> dict[str, str]:
    """The variables of a file; the last of a name stands. Nothing is expanded."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found, at = dict[str, str](), 0
    while (at := _skip(text, at)) < len(text):
        start = START.match(text, at)
        if start is None:
            raise _wrong(text, at, source, "is not NAME=VALUE")
        found[start[1]], end = _value(text, start.end(), source)
        rest = REST.match(text, end)
        if rest is None:
            raise _wrong(text, end, source, "goes on after the closing quote")
        at = rest.end()
    return found


def _skip(text: str, at: int) -> int:
    while empty := EMPTY.match(text, at):
        at = empty.end()
    rest = text[at:].lstrip(" \t")
    return len(text) if not rest or (rest[0] == "#" and "\n" not in rest) else len(text) - len(rest)


def _value(text: str, at: int, source: str) -> tuple[str, int]:
    start = QUOTE.match(text, at)
    if start is None:
        bare = BARE.match(text, at)
        assert bare is not None, "it matches nothing, too"
        return bare[0].strip(), bare.end()
    quote, at = start[1], start.start(1)
    whole = (SINGLE if quote == "'" else DOUBLE).match(text, at)
    if whole is None:
        raise _wrong(text, at, source, f"has no closing {quote}")
    value = whole[1]
    if quote == '"':
        value = re.sub(r"\\(.)", lambda one: ESCAPES.get(one[1], one[1]), value, flags=re.DOTALL)
    return value, whole.end()


def _wrong(text: str, at: int, source: str, why: str) -> Stop:
    """Where it is, and never what it says."""
    line = text.count("\n", 0, at) + 1
    return Stop(Fate.USAGE, f"Line {line} of {source} {why}. Nothing was set.")
