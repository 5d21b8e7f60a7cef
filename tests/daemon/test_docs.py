"""The operator's page tells of every setting, in the words of `--help`."""

from dataclasses import fields
from pathlib import Path

from windlass.daemon.options import as_text
from windlass.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"


def table() -> str:
    """The settings as the page has them."""
    rows = ["| flag | variable | default | is |", "|---|---|---|---|"]
    for one in fields(Settings):
        flag = f"--{one.name.replace('_', '-')}"
        usual = "see below" if one.name == "data" else as_text(one.default) or "none"
        usual = {"False": "no", "none": "", "see below": "see below"}.get(usual, f"`{usual}`")
        plain = str(one.metadata["help"]).replace("<", "&lt;")
        variable = f"WINDLASS_{one.name.upper()}"
        rows.append(f"| `{flag}` | `{variable}` | {usual} | {plain} |")
    return "\n".join(rows) + "\n"


def test_the_page_has_every_setting():
    text = PAGE.read_text()
    told = text.partition("<!-- settings: begin -->\n")[2].partition("<!-- settings: end -->")[0]
    assert told == table(), f"docs/operating.md wants this table:\n{table()}"
