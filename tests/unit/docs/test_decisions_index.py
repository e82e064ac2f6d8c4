"""docs/decisions/README.md lists every record with the number, title, date and status that the record itself gives."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "decisions"
HEAD = re.compile(
    r"# (?P<number>\d{4}): (?P<title>[^\n]+)\n\nDate: (?P<date>\d{4}-\d\d-\d\d)\. Status: (?P<status>[^.\n]+)\."
)


def _row(path: Path) -> str:
    head = HEAD.match(path.read_text())
    assert head, f"{path.name} begins with `# NNNN: title`, an empty line and `Date: YYYY-MM-DD. Status: …`"
    assert path.name.startswith(head["number"] + "-"), path.name
    return f"| {head['number']} | [{head['title']}]({path.name}) | {head['date']} | {head['status']} |"


def test_the_index_has_a_row_for_every_record_in_order() -> None:
    rows = [_row(path) for path in sorted(FOLDER.glob("[0-9]*.md"))]
    listed = [line for line in (FOLDER / "README.md").read_text().splitlines() if re.match(r"\| \d", line)]
    assert listed == rows
    numbers = [row[2:6] for row in rows]
    assert len(set(numbers)) == len(numbers)
