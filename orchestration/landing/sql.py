"""Quoting, and the few SQL phrases that several steps share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.catalogue.events import CONTRACT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

EVENT_COLUMNS = (
    *CONTRACT_COLUMNS[:3],
    "event_day",
    *CONTRACT_COLUMNS[3:],
    "row_md5",
    "file_hash",
)
"""The lake's columns, in order."""

EVENT_TYPES = {"occurred_at": "timestamp", "event_day": "date", "value": "decimal(18,6)"}
"""Types of the columns that are not text."""

CUT_MARK = "z"
"""Stands in place of the first digit of the `row_md5` of a row that may be cut off: behind every whole one."""


def same_content(first: str, second: str) -> str:
    """Condition that two `row_md5` are of one content, whether or not one of them may be cut off."""
    return f"(substr({first}, 2) = substr({second}, 2))"


def literal(text: str) -> str:
    """A string literal, whatever the text holds."""
    parts = text.split("\x00")
    quoted = ["'" + part.replace("'", "''") + "'" for part in parts]
    return quoted[0] if len(quoted) == 1 else "(" + " || chr(0) || ".join(quoted) + ")"


def identifier(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def array(texts: Iterable[str]) -> str:
    """A list literal of strings."""
    return "[" + ", ".join(literal(text) for text in texts) + "]"
