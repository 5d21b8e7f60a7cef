"""What commands print: tables for people, JSON and YAML for programs, names for shells."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import IO, Any, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from windlass.cli.fate import Fate, Stop
from windlass.client import Json

GAP = 2
WIDE = 10_000  # a pipe has no edge: nothing is cut there
NARROWEST = 8  # cells that a column keeps when the terminal is too small for all of it

STYLES = {
    **dict.fromkeys(("started", "complete", "done"), "green"),
    **dict.fromkeys(("failed", "crashed", "broken", "buried"), "red"),
    **dict.fromkeys(("retrying", "undoing", "deleting", "cancelled", "waiting"), "yellow"),
    **dict.fromkeys(("running", "creating", "deploying", "in_progress"), "cyan"),
    **dict.fromkeys(("stopped", "discarded", "queued", "planned", "skipped", "undone"), "dim"),
}


class Output(StrEnum):
    """How a command writes what it found."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class Column(NamedTuple):
    """A column of a table; the least `keep` goes first where the terminal is narrow."""

    title: str
    of: Callable[[Json], object]
    keep: int = 9

    def cell(self, row: Json) -> object:
        """What this row has; an older or newer server may not have it."""
        try:
            return self.of(row)
        except (KeyError, TypeError):
            return None


def console(stream: IO[str]) -> Console:
    """A console on this stream that never wraps, guesses or reads markup."""
    wide = None if stream.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(file=stream, width=wide, soft_wrap=True, highlight=False, markup=False)


def clean(value: object) -> str:
    """Text from the server without what could steer a terminal."""
    text = "" if value is None else str(value)
    text = re.sub(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)?", "", text)
    return "".join(char if char.isprintable() else " " for char in text.expandtabs(4))


def show_list(items: Iterable[Json], columns: Sequence[Column], output: Output, name: str) -> None:
    """Print many things; an empty table is nothing, so that scripts count right."""
    rows = list(items)
    if output is Output.NAME:
        write("".join(f"{clean(row[name])}\n" for row in rows))
    elif output is Output.TABLE:
        write_lines(table(rows, columns, console(sys.stdout).width))
    else:
        write(structured(rows, output))


def show_one(item: Json, columns: Sequence[Column], output: Output, name: str) -> None:
    """Print one thing, a line for each of its facts."""
    if output is Output.NAME:
        write(f"{clean(item[name])}\n")
    elif output is Output.TABLE:
        write_lines(facts([(column.title, column.cell(item)) for column in columns]))
    else:
        write(structured(item, output))


def structured(value: Any, output: Output) -> str:
    """The server's own words, as JSON or YAML."""
    if output is Output.JSON:
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    import yaml  # here, because few commands need it and all would wait for it

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def facts(pairs: Sequence[tuple[str, object]]) -> list[Text]:
    """Names and values under each other; what has no value is left out."""
    told = [(name, clean(value)) for name, value in pairs if value not in (None, "")]
    width = max((cell_len(name) for name, _ in told), default=0) + GAP
    return [
        Text.assemble((set_cell_size(name, width), "dim"), (value, STYLES.get(value, "")))
        for name, value in told
    ]


def table(rows: Sequence[Json], columns: Sequence[Column], width: int) -> list[Text]:
    """A heading and a line for each row, none longer than the width."""
    if not rows:
        return []
    cells = {column: [clean(column.cell(row)) for row in rows] for column in columns}
    sizes = _fit({column: _widest(column, cells[column]) for column in columns}, width)
    lines = [_line([(column.title.upper(), size, "dim") for column, size in sizes.items()])]
    for at in range(len(rows)):
        texts = [(cells[column][at], size) for column, size in sizes.items()]
        lines.append(_line([(text, size, STYLES.get(text, "")) for text, size in texts]))
    return lines


def _widest(column: Column, cells: Sequence[str]) -> int:
    return max(cell_len(text) for text in (column.title, *cells))


def _fit(sizes: dict[Column, int], width: int) -> dict[Column, int]:
    def over() -> int:
        return sum(sizes.values()) + GAP * (len(sizes) - 1) - width

    for column in sorted(sizes, key=lambda column: column.keep):
        if over() > 0 and column.keep < 9:
            del sizes[column]
    while over() > 0 and max(sizes.values()) > NARROWEST:
        sizes[max(sizes, key=lambda column: sizes[column])] -= 1
    return sizes


def _line(cells: Sequence[tuple[str, int, str]]) -> Text:
    line = Text(no_wrap=True)
    for text, size, style in cells:
        line.append(crop(text, size), style)
        line.append(" " * (size - min(size, cell_len(text)) + GAP))
    line.rstrip()
    return line


def crop(text: str, size: int) -> str:
    """The text, or as much of it as fits before an ellipsis."""
    if cell_len(text) <= size:
        return text
    return set_cell_size(text, max(size - 1, 0)).rstrip() + "…"


def write_lines(lines: Iterable[Text]) -> None:
    """Write styled lines to stdout."""
    out = console(sys.stdout)
    with out.capture() as captured:
        for line in lines:
            out.print(line)
    write(captured.get())


def write(text: str) -> None:
    """Write to stdout, now: a full disk or a closed pipe is noticed here, and said in a line."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        raise Stop(Fate.DONE) from None  # who reads has seen enough
    except OSError as error:
        silence(sys.stdout)
        raise Stop(Fate.FAILED, f"The output cannot be written: {error.strerror}.") from error


def silence(stream: IO[str]) -> None:
    """Let the interpreter's last flush of this stream find a place to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(*lines: Text | str) -> None:
    """Say something to the person, on stderr."""
    err = console(sys.stderr)
    try:
        for line in lines:
            err.print(line)
    except OSError:
        silence(sys.stderr)
