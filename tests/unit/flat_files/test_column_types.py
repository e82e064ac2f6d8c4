"""Columns of every type in every part: the figures of an independent computation, or one clear refusal."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from scipy import stats

from fairsplit.analysis.errors import FairsplitError
from fairsplit.analysis.flat_files import FlatAnalysis, Request, analyse

SIZE = 60
DAY = date(2026, 1, 5)
INSTANT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def twice(one: Any, other: Any) -> list[Any]:
    return [one, other] * (SIZE // 2)


#: A column per type: its values, whether it can be a number, and its names or none.
COLUMNS: dict[str, tuple[pl.Series, bool, tuple[str, ...] | None]] = {
    "int8": (pl.Series(twice(0, 1), dtype=pl.Int8), True, ("0", "1")),
    "uint64": (pl.Series(twice(2**64 - 1, 5), dtype=pl.UInt64), False, (str(2**64 - 1), "5")),
    "int128": (pl.Series(twice(2**100, 5), dtype=pl.Int128), False, (str(2**100), "5")),
    "float": (pl.Series(twice(0.5, 1.5)), True, ("0.5", "1.5")),
    "whole float": (pl.Series(twice(0.0, 1.0)), True, ("0", "1")),
    "float32": (pl.Series(twice(0.25, 0.5), dtype=pl.Float32), True, ("0.25", "0.5")),
    "decimal": (
        pl.Series(twice(Decimal("1.10"), Decimal("2.20")), dtype=pl.Decimal(20, 2)),
        True,
        ("1.10", "2.20"),
    ),
    "wide decimal": (
        pl.Series(twice(Decimal(10**30), Decimal(7)), dtype=pl.Decimal(38, 0)),
        False,
        (str(10**30), "7"),
    ),
    "boolean": (pl.Series(twice(True, False)), True, ("true", "false")),
    "text": (pl.Series(twice("x", "y")), False, ("x", "y")),
    "text of numbers": (pl.Series(twice("01", "1e3")), True, ("01", "1e3")),
    "padded": (pl.Series(twice(" 1", "2\t\u00a0")), True, (" 1", "2\t\u00a0")),
    "words": (pl.Series(twice("Yes", "no")), True, ("Yes", "no")),
    "categorical": (pl.Series(twice("x", "y"), dtype=pl.Categorical), False, ("x", "y")),
    "enum of numbers": (pl.Series(twice("1", "2"), dtype=pl.Enum(["1", "2"])), True, ("1", "2")),
    "date": (pl.Series(twice(DAY, DAY + timedelta(1))), False, ("2026-01-05", "2026-01-06")),
    "instant": (
        pl.Series(twice(INSTANT, INSTANT + timedelta(1))),
        False,
        ("2026-01-05 12:00:00.000000+00:00", "2026-01-06 12:00:00.000000+00:00"),
    ),
    "time": (pl.Series(twice(time(1), time(2))), False, ("01:00:00", "02:00:00")),
    "duration": (pl.Series(twice(timedelta(1), timedelta(2))), False, None),
    "list": (pl.Series(twice([1], [2])), False, None),
    "array": (pl.Series(twice([1, 2], [2, 3]), dtype=pl.Array(pl.Int64, 2)), False, None),
    "struct": (pl.Series([{"a": i % 2} for i in range(SIZE)]), False, None),
    "binary": (pl.Series(twice(b"x", b"y")), False, ("x", "y")),
    "bytes that are no text": (pl.Series(twice(b"\xff", b"y")), False, ("ff", "79")),
    "nothing": (pl.Series([None] * SIZE), False, None),
    "nested JSON": (pl.Series(twice("[1]", "[2]"), dtype=pl.Object), False, None),
    "NaN": (pl.Series(twice(float("nan"), 1.0)), False, None),
    "infinite": (pl.Series(twice(float("inf"), 1.0)), False, None),
    "huge": (pl.Series(twice(1e300, -1e300)), False, None),
    "tiny": (pl.Series(twice(1e-300, 2e-300)), False, ("1e-300", "2e-300")),
}
NUMBERS = {"Yes": 1.0, "True": 1.0, "no": 0.0, "False": 0.0}


def table(name: str) -> pl.DataFrame:
    outcome = [round((i * 37 % 101) / 7, 3) for i in range(SIZE)]
    arm = [("a", "b")[(i // 2) % 2] for i in range(SIZE)]
    return pl.DataFrame({"user_id": [f"u{i}" for i in range(SIZE)], "arm": arm, "y": outcome}).with_columns(
        COLUMNS[name][0].alias("c")
    )


def asked(frame: pl.DataFrame, **options: Any) -> FlatAnalysis | str:
    """The analysis, or the refusal: any other error fails the test."""
    try:
        return analyse(frame, Request("file", DAY, **{"variant": "arm", **options}))
    except FairsplitError as refusal:
        return str(refusal)


def compared(found: FlatAnalysis, **wanted: Any) -> dict[str, Any]:
    rows = found.judgement.comparisons.filter(pl.col("comparison").is_not_null())
    return rows.filter(*(pl.col(key) == value for key, value in ({"segment": "all"} | wanted).items())).row(
        0, named=True
    )


def welch(frame: pl.DataFrame, values: list[float], arms: list[str], control: str) -> float:
    parts = [
        [v for v, arm in zip(values, arms, strict=True) if (arm == control) is side] for side in (False, True)
    ]
    return float(stats.ttest_ind(*parts, equal_var=False).pvalue)


@pytest.mark.parametrize("name", COLUMNS)
def test_as_a_metric(name: str) -> None:
    frame = table(name)
    found = asked(frame, metrics=("c:mean",))
    _, is_number, _ = COLUMNS[name]
    if not is_number:
        assert isinstance(found, str)
        assert found.startswith("--metric c: ")
        return
    assert not isinstance(found, str), found
    texts = [str(cell).strip() for cell in frame["c"].to_list()]
    values = [NUMBERS[text] if text in NUMBERS else float(text) for text in texts]
    row = compared(found)
    assert row["p_value"] == pytest.approx(welch(frame, values, frame["arm"].to_list(), "a"), rel=1e-6)


@pytest.mark.parametrize("name", COLUMNS)
def test_as_a_segment(name: str) -> None:
    frame = table(name)
    found = asked(frame, metrics=("y:mean",), segments=("c",))
    names = COLUMNS[name][2]
    if names is None:
        # What has no text is refused; a column without a value is one level.
        if name not in {"nothing", "NaN"}:
            assert isinstance(found, str)
            assert found.startswith("--segment c: ")
        return
    assert not isinstance(found, str), found
    for level, at in zip(names, (0, 1), strict=True):
        part = frame.filter(pl.int_range(pl.len()) % 2 == at)
        row = compared(found, segment="c", segment_level=level)
        expected = welch(part, part["y"].to_list(), part["arm"].to_list(), "a")
        assert row["p_value"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", COLUMNS)
def test_as_the_arm(name: str) -> None:
    frame = table(name)
    names = COLUMNS[name][2]
    found = asked(frame, metrics=("y:mean",), variant="c", control=None if names is None else names[1])
    if names is None:
        assert isinstance(found, str)
        return
    assert not isinstance(found, str), found
    row = compared(found)
    arms = [names[i % 2] for i in range(SIZE)]
    assert (row["variant_id"], row["comparison"]) == (names[0].strip(), names[1].strip())
    assert row["p_value"] == pytest.approx(welch(frame, frame["y"].to_list(), arms, names[1]), rel=1e-6)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(
    "part",
    [
        {"metrics": ("c",)},
        {"metrics": ("c:median",)},
        {"metrics": ("c:mann_whitney",)},
        {"metrics": ("y/c",)},
        {"metrics": ("y:mean",), "covariates": ("c",)},
        {"metrics": ("y:mean",), "unit": "c"},
        {"metrics": ("y:mean",), "unit": "c", "by": "event"},
        {"metrics": ("y:mean",), "experiment": "c"},
        {"metrics": ("y:mean",), "cluster": "c"},
        {"units": "c"},
        {"by": "arm", "metrics": ("y/c",)},
        {"by": "arm", "metrics": ("y/y/c",)},
        {},
    ],
    ids=str,
)
def test_every_other_part_is_computed_or_refused(name: str, part: dict[str, Any]) -> None:
    found = asked(table(name), **part)
    if isinstance(found, str):
        assert "\n" not in found
        assert found.startswith("--")
    else:
        assert found.judgement.decisions.height >= 1
