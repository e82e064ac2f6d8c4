"""Calling `fairsplit analyze` from a test, and finding rows in what it gave."""

from __future__ import annotations

from typing import Any


def rows_of(found: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    """The comparison rows with these values, of the whole unless a segment is named."""
    conditions = {"segment": "all"} | wanted
    return [
        row for row in found["comparisons"] if all(row[key] == value for key, value in conditions.items())
    ]


def treated(found: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    """The one row that compares a treatment."""
    (row,) = (row for row in rows_of(found, **wanted) if row["comparison"] is not None)
    return row
