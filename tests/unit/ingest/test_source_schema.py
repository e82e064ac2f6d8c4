from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from fairsplit.analysis.catalogue.sources import Source, glob_regex

GOOD: dict[str, Any] = {
    "id": "shop",
    "files": "shop/*.csv",
    "columns": {"event_id": "id", "occurred_at": "at", "event_name": "kind"},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colums": {}}, "Extra inputs are not permitted"),
        ({"id": "Shop 1"}, "String should match pattern"),
        ({"table": "main.orders"}, "give either files"),
        ({"files": None}, "give either files"),
        ({"files": "../secrets/*.csv"}, "relative to the landing folder"),
        ({"files": "/etc/passwd"}, "relative to the landing folder"),
        ({"files": None, "table": "main.orders; drop table x"}, "String should match pattern"),
        ({"timezone": "Mars/Olympus"}, "no IANA time zone"),
        ({"columns": {"event_id": "id", "occured_at": "at"}}, "occured_at is no event column"),
        ({"columns": {"occurred_at": "at"}}, "columns must map event_id"),
        ({"columns": {"event_id": "id", "event_name": "kind"}}, "map occurred_at"),
        ({"columns": {"event_id": "id", "occurred_at": "at"}}, "map event_name"),
        (
            {"columns": GOOD["columns"] | {"value": {"column": "a", "columns": ["b"]}}},
            "either column or columns",
        ),
        ({"columns": GOOD["columns"] | {"occurred_at": {"column": "a", "format": "unix"}}}, "format unix"),
        ({"constants": {"value": float("nan")}}, "not a finite number"),
        ({"events": [{"name": "a"}, {"name": "b"}]}, "same suffix"),
        ({"when": {"column": "a"}}, "exactly one operator"),
        ({"when": {"column": "a", "equals": 1, "present": True}}, "exactly one operator"),
        ({"when": {"all": [{"column": "a", "equals": 1}], "column": "a"}}, "exactly one of all, any"),
        ({"files": None, "table": "orders", "format": "csv"}, "belong to files"),
    ],
)
def test_a_wrong_source_is_refused_and_told_why(change: dict[str, Any], message: str) -> None:
    assert Source.model_validate(GOOD).id == "shop"
    with pytest.raises(ValidationError, match=message):
        Source.model_validate(GOOD | change)


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "deep/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "very/deep/a.csv", True),
        ("shop/**", "shop/a/b", True),
        ("day-?.csv", "day-1.csv", True),
        ("day-?.csv", "day-10.csv", False),
        ("a.csv", "aXcsv", False),
        ("[1].csv", "[1].csv", True),
    ],
)
def test_globs_stay_within_a_folder_unless_doubled(pattern: str, path: str, covered: bool) -> None:
    assert Source.model_validate(GOOD | {"files": pattern}).covers(path) is covered
    assert glob_regex(pattern).startswith("(?:.*/)?") is pattern.startswith("**/")


def test_a_pattern_of_many_stars_is_matched_in_linear_time() -> None:
    """Case pattern-that-never-ends, of files: a name of 250 letters would take a backtracking engine for ever."""
    source = Source.model_validate(GOOD | {"files": "*a" * 30 + "*.csv"})
    assert not source.covers("a" * 250 + ".ndjson")
    assert source.covers("a" * 250 + ".csv")


@pytest.mark.parametrize("name", ["a\nb.csv", "é (1) [x]{2} #&~-.csv", "a+b^c$d.csv", "..csv"])
def test_any_name_is_text(name: str) -> None:
    for pattern in ("*.csv", "**.csv", "**/*.csv", name):
        assert Source.model_validate(GOOD | {"files": pattern}).covers(name)
