"""Quoting, and the few SQL phrases that several steps share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.catalogue.events import CONTRACT_COLUMNS

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
