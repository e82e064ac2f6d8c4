"""Any flat file: the figures of an independent computation, or one clear refusal."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections import Counter
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairsplit.analysis.errors import FairsplitError
from fairsplit.analysis.flat_files import FlatAnalysis, Request, analyse
from fairsplit.orchestration.flat_files import read_flat_file

DAY = date(2026, 1, 5)
PACKINGS = (
    "csv",
    "csv;",
    "csv|",
    "csv,comma",
    "tsv",
    "csv.gz",
    "csv lines of cr",
    "csv lines of lf",
    "csv blank lines",
    "csv says ;",
    "utf-8-sig",
    "utf-16",
    "utf-32",
    "json",
    "ndjson",
    "parquet",
    "duckdb",
)
#: Pairs of arms that a careless reader would merge or mistake, the control first.
ARMS = (
    ("control", "treatment"),
    ("01", "1"),
    ("1e3", "1000"),
    ("1.0", "1"),
    ("true", "false"),
    ("A", "B"),
    ("no e-mail", "e-mail; twice, daily"),
    ("NULL", "NaN"),
    ('say "hi"', "x|y"),
    ("ünï", "日本"),
)
IDS = ("{}", "0{}", "{}e2", "u {}", "{}.0", "{}00000000000000000000")
LEVELS = ("all", "unknown", "", "1.0", "1", "true", "srm", "=2+3", "Ünï", "NA")

odd_numbers = st.one_of(
    st.integers(-1000, 1000),
    st.decimals(-1000, 1000, places=2, allow_nan=False).map(float),
    st.sampled_from([0, 0.1, 1e-6, 1e12, -1e12, 10**15, 0.30000000000000004]),
)
sound_cells = st.one_of(
    st.lists(odd_numbers, min_size=1),
    st.lists(st.sampled_from([0, 1]), min_size=1),
    st.lists(st.sampled_from(["yes", "no"]), min_size=1),
)
#: Cells that no figure may be made of.
unsound = st.sampled_from(
    [
        *(None, "", 2**64, -(10**16), "NA", "n/a", "abc", "1,234.5", "inf", "nan", "Infinity", "1e400"),
        *(
            "12%",
            "1_000",
            "1'000",
            "1\u00a0000",
            "$5",
            "€5",
            "USD 5",
            "(3)",
            "−3",
            "--1",
            "0x1F",
            "½",
            "1e",
            "1.2.3",
        ),
    ]
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    size = draw(st.integers(6, 40))
    arms = draw(st.sampled_from(ARMS))
    pool = draw(sound_cells)
    cells: list[Any] = [pool[draw(st.integers(0, len(pool) - 1))] for _ in range(size)]
    bad = draw(st.none() | st.tuples(st.integers(0, size - 1), unsound))
    if bad is not None:
        cells[bad[0]] = bad[1]
    pad = draw(st.sampled_from(["", " ", "\t", "\u00a0"]))
    return {
        "id": [draw(st.sampled_from(IDS)).format(i) for i in range(size)],
        "arm": [arms[0], arms[1], *(draw(st.sampled_from(arms)) for _ in range(size - 2))],
        "level": [draw(st.sampled_from(LEVELS)) for _ in range(size)],
        "y": [cell if cell is None else f"{cell}{pad}" for cell in cells] if pad else cells,
        "control": arms[0],
        "packing": draw(st.sampled_from(PACKINGS)),
    }


def written(file: dict[str, Any], folder: Path) -> Path:
    """The rows in their packing."""
    columns = ("id", "arm", "level", "y")
    rows = list(zip(*(file[name] for name in columns), strict=True))
    packing = file["packing"]
    kind = packing.split(",")[0].rstrip(";|")
    path = folder / f"file.{'csv' if packing.startswith(('utf', 'csv ')) else kind}"
    if packing in {"json", "ndjson"}:
        objects = [dict(zip(columns, row, strict=True)) for row in rows]
        path.write_text("\n".join(map(json.dumps, objects)) if packing == "ndjson" else json.dumps(objects))
        return path
    if packing in {"parquet", "duckdb"}:
        as_text = any(isinstance(cell, str) for cell in file["y"]) or any(
            abs(c or 0) > 2**63 for c in file["y"]
        )
        y = [cell if cell is None or not as_text else str(cell) for cell in file["y"]]
        floats = not as_text and any(isinstance(cell, float) for cell in y)
        frame = pl.DataFrame(
            [pl.Series(name, file[name], dtype=pl.String) for name in columns[:3]]
            + [pl.Series("y", y, dtype=pl.String if as_text else pl.Float64 if floats else pl.Int64)]
        )
        if packing == "parquet":
            frame.write_parquet(path)
        else:
            with duckdb.connect(str(path)) as connection:
                connection.register("frame", frame)
                connection.execute("create table t as from frame")
        return path
    delimiter = {"tsv": "\t", "csv;": ";", "csv|": "|", "csv,comma": ";", "csv says ;": ";"}.get(packing, ",")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(columns)
    for row in rows:
        y = row[3]
        if packing == "csv,comma" and isinstance(y, float):
            y = str(y).replace(".", ",")
        writer.writerow([*row[:3], y])
    lines = {"csv lines of cr": "\r", "csv lines of lf": "\n", "csv blank lines": "\r\n\r\n"}.get(
        packing, "\r\n"
    )
    said = "sep=;\r\n" if packing == "csv says ;" else ""
    content = (said + text.getvalue().replace("\r\n", lines)).encode(
        packing if packing.startswith("utf") else "utf-8"
    )
    path.write_bytes(gzip.compress(content) if packing == "csv.gz" else content)
    return path


def number(cell: Any) -> float | None:
    """What a careful person reads in a cell, or nothing."""
    text = "" if cell is None else str(cell).strip().lower()
    if text in {"yes", "no"}:
        return float(text == "yes")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= 10**15 and "_" not in text else None


def outcome(file: dict[str, Any]) -> FlatAnalysis | str:
    with TemporaryDirectory() as folder:
        path = written(file, Path(folder))
        decimal = "," if file["packing"] == "csv,comma" else None
        try:
            read = read_flat_file(path)
            request = Request(
                "file",
                DAY,
                unit="id",
                variant="arm",
                control=file["control"],
                metrics=("y:mean",),
                segments=("level",),
                arms_as_written=True,
                decimal=decimal,
            )
            return analyse(read.frame, request)
        except FairsplitError as refusal:
            return str(refusal)


@pytest.mark.filterwarnings("ignore:Precision loss")  # SciPy's, where an arm is constant
@settings(max_examples=60, deadline=None)
@given(files())
def test_figures_of_an_independent_computation_or_one_refusal(file: dict[str, Any]) -> None:
    values = [number(cell) for cell in file["y"]]
    found = outcome(file)
    if any(value is None for value in values):
        assert isinstance(found, str)
        assert "--metric y" in found
        assert "\n" not in found
        return
    known = [value for value in values if value is not None]
    if isinstance(found, str):
        # Values far apart in size may differ in digits that 64 bits do not hold beside each other.
        assert "digits that would be lost" in found
        assert max(map(abs, known)) > 1e6
        return
    parts = {
        arm: [v for v, a in zip(known, file["arm"], strict=True) if a == arm] for arm in set(file["arm"])
    }
    rows = found.judgement.comparisons.filter(pl.col("segment") == "all")
    assert dict(rows.select("variant_id", "n").iter_rows()) == {arm: len(part) for arm, part in parts.items()}
    for row in rows.iter_rows(named=True):
        assert row["mean"] == pytest.approx(
            math.fsum(parts[row["variant_id"]]) / row["n"], rel=1e-9, abs=1e-9
        )
    levels = Counter(zip(file["level"], file["arm"], strict=True))
    blank = "unknown (empty)" if "unknown" in file["level"] else "unknown"
    counted = found.exposures.filter(pl.col("segment") == "level", pl.col("units") > 0)
    expected = {(level or blank, arm): units for (level, arm), units in levels.items()}
    assert {
        (r["segment_level"], r["variant_id"]): r["units"] for r in counted.iter_rows(named=True)
    } == expected
    (treated,) = (row for row in rows.iter_rows(named=True) if row["comparison"] is not None)
    if treated["status"] == "ok" and treated["method"] == "welch":
        control = parts.pop(file["control"])
        (other,) = parts.values()
        right = stats.ttest_ind(other, control, equal_var=False)
        assert treated["p_value"] == pytest.approx(right.pvalue, rel=1e-5, abs=1e-12)
