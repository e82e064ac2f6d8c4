"""How a command prints: for people or for machines."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReportFormat(StrEnum):
    """How a command prints."""

    text = "text"
    json = "json"


FormatOption = Annotated[ReportFormat, typer.Option("--format", help="For people or for machines.")]


def print_json(value: object) -> None:
    """Print JSON with sorted keys and ISO instants; an interval without a bound has null there."""
    from fairsplit.analysis.scorecards.api import dumps

    print(dumps(value), end="")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns of plain text, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    numeric = [all(isinstance(row[i], (int, float, type(None))) for row in rows) for i in range(len(header))]

    def line(values: Sequence[str]) -> str:
        return "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(values, widths, numeric, strict=True)
        ).rstrip()

    return "\n".join([line(header), *(line(row) for row in cells)])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    # A value may come from events: no line breaks or control characters reach the terminal.
    return "".join(sign if sign.isprintable() else " " for sign in str(value))


def percent(value: float | None) -> str:
    """``+2.3 %``; a dash where there is no number."""
    return "-" if value is None else f"{value:+.1%}".replace("%", " %")


def say(line: str) -> None:
    """Progress and warnings: on standard error, beside what a machine reads."""
    print(line, file=sys.stderr)
