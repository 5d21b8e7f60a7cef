"""Server-sent events, as far as windlass speaks them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Message(NamedTuple):
    """One message of a stream; `id` is that of the newest event it tells of."""

    event: str
    data: str
    id: str


def messages(chunks: Iterable[bytes]) -> Iterator[Message]:
    """The whole messages among the bytes; half of one, at a broken end, is left out."""
    event, data, newest = "message", list[str](), ""
    for line in _lines(chunks):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Message(event, "\n".join(data), newest)
            event, data = "message", []
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            newest = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    # Bytes, not httpx's iter_lines: that also splits at U+2028, which JSON may hold as it is.
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")
