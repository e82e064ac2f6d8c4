"""What `fairsplit connect` guesses of a table's columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from fairsplit.analysis.catalogue.mapping_guesses import guess_mapping
from fairsplit.analysis.catalogue.sources import Source
from fairsplit.analysis.errors import AnalysisError

NAIVE = [datetime(2026, 1, 1), datetime(2026, 1, 2)]  # noqa: DTZ001
AWARE = [one.replace(tzinfo=UTC) for one in NAIVE]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            {
                "ID": [1, 2],
                "Customer_ID": [7, 7],
                "created_at": NAIVE,
                "amount": ["1.5", None],
                "note": ["a", "b"],
            },
            {
                "timezone": "UTC",
                "columns": {
                    "occurred_at": "created_at",
                    "event_id": "ID",
                    "user_id": "Customer_ID",
                    "value": {"column": "amount", "cast": "number"},
                },
                "constants": {"event_name": "orders"},
            },
        ),
        (
            {
                "message_id": ["a", "b"],
                "event": ["x", "y"],
                "ts": [1_767_225_600_000, 1_767_225_600_001],
                "userId": [1, 2],
            },
            {
                "columns": {
                    "occurred_at": {"column": "ts", "format": "epoch_ms"},
                    "event_id": "message_id",
                    "event_name": "event",
                    "user_id": "userId",
                },
            },
        ),
        # An id that repeats is none; the only time is taken whatever its name; a total in words is no value.
        (
            {
                "id": [1, 1],
                "uuid": ["a", "b"],
                "seen": AWARE,
                "total": ["much", "more"],
                "country": ["US", None],
            },
            {
                "columns": {"occurred_at": "seen", "event_id": "uuid", "country": "country"},
                "constants": {"event_name": "orders"},
            },
        ),
    ],
)
def test_by_name_type_and_values(rows: dict[str, list[Any]], expected: dict[str, Any]) -> None:
    found = guess_mapping(pl.DataFrame(rows), "shop.orders", {})
    assert found == expected | {"properties": "*"}
    Source.model_validate({"id": "orders", "files": "x.csv", **found})


def test_what_is_given_is_not_guessed() -> None:
    rows = pl.DataFrame({"id": [1, 2], "order_no": [3, 4], "at_a": NAIVE, "at_b": NAIVE})
    with pytest.raises(AnalysisError, match=r"no column looks like occurred_at.*--column occurred_at=COLUMN"):
        guess_mapping(rows, "orders", {})
    found = guess_mapping(rows, "orders", {"event_id": "order_no", "occurred_at": "at_b"})
    assert found["columns"] == {"occurred_at": "at_b", "event_id": "order_no"}
    for wrong in ({"event_id": "order_nr"}, {"event": "id"}):
        with pytest.raises(AnalysisError, match="unknown column"):
            guess_mapping(rows, "orders", wrong)
