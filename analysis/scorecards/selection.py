"""Which rows a panel is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]


def whole(rows: Sequence[Row], analysis: str) -> list[Row]:
    """Rows of the whole population under one analysis."""
    return [row for row in rows if row.get("segment") == "all" and row.get("analysis", "default") == analysis]
