"""Numbers at and beyond what is exact, ±10¹⁵, in every format and type that holds them: kept, or refused by row."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from tests.unit.flat_files.rows import rows_of

LARGEST = 10**15
TEXTS = ("csv", "tsv", "json", "ndjson")
TYPES = ("bigint", "ubigint", "hugeint", "decimal(38, 2)", "decimal(20, 0)", "double", "varchar")
FORMATS = (*TEXTS, *(f"{kind} {sql}" for kind in ("parquet", "duckdb") for sql in TYPES))


def written(folder: Path, form: str, values: list[str]) -> Path:
    """Two arms of three units each, whose values are the texts."""
    kind, _, sql = form.partition(" ")
    path = folder / f"file.{kind}"
    rows = [(f"u{place}", "ab"[place % 2], value) for place, value in enumerate(values)]
    if kind in {"csv", "tsv"}:
        separator = "," if kind == "csv" else "\t"
        path.write_text("\n".join(separator.join(row) for row in [("user_id", "arm", "y"), *rows]) + "\n")
    elif kind in {"json", "ndjson"}:
        lines = [f'{{"user_id": "{unit}", "arm": "{arm}", "y": {value}}}' for unit, arm, value in rows]
        path.write_text("\n".join(lines) if kind == "ndjson" else f"[{', '.join(lines)}]")
        assert json.loads(lines[0])
    else:
        cells = ", ".join(f"('{unit}', '{arm}', '{value}'::{sql})" for unit, arm, value in rows)
        table = f"select * from (values {cells}) as t (user_id, arm, y)"
        with duckdb.connect(str(path) if kind == "duckdb" else ":memory:") as connection:
            # Polars knows no integer of 128 bits in a file; DuckDB writes it as a double.
            connection.execute(
                f"create table t as {table}"
                if kind == "duckdb"
                else f"copy ({table}) to '{path}' (format parquet)"
            )
    return path


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("sign", ["", "-"])
def test_the_largest_number_is_kept_to_the_unit(analyze, tmp_path: Path, form: str, sign: str) -> None:
    if sign and "ubigint" in form:
        pytest.skip("has no sign")
    values = [
        f"{sign}{number}" for number in (LARGEST, LARGEST - 1, LARGEST - 2, LARGEST - 5, LARGEST, LARGEST - 9)
    ]
    code, found, err = analyze(written(tmp_path, form, values), "--metric", "y:mean", "--control", "a")
    assert code == 0, err
    totals = {row["variant_id"]: row["total"] for row in rows_of(found)}
    assert totals == {arm: sum(map(int, values[place::2])) for place, arm in enumerate("ab")}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("beyond", ["1000000000000001", "18446744073709551615", "-1000000000000001"])
def test_one_number_beyond_is_refused_with_its_row(analyze, tmp_path: Path, form: str, beyond: str) -> None:
    if (beyond.startswith("-") and "ubigint" in form) or (len(beyond) > 19 and " bigint" in form):
        pytest.skip("the type cannot hold it")
    code, _, err = analyze(
        written(tmp_path, form, ["1", "2", "3", beyond, "5", "6"]), "--metric", "y:mean", "--control", "a"
    )
    assert (code, "--metric y: values are too large" in err, "in row 4" in err) == (1, True, True), err


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1e16", "NaN", "Infinity"])
@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet varchar"])
def test_what_no_number_can_be_is_never_nothing(analyze, tmp_path: Path, form: str, text: str) -> None:
    code, _, err = analyze(
        written(tmp_path, form, ["1", "2", "3", text, "5", "6"]), "--metric", "y:mean", "--control", "a"
    )
    assert (code, "--metric y" in err, "row 4" in err) == (1, True, True), err


def test_decimals_keep_the_digits_that_they_have(analyze, tmp_path: Path) -> None:
    values = [
        Decimal("0.000001"),
        Decimal("123456789.123456"),
        Decimal("-0.5"),
        Decimal(7),
        Decimal(1),
        Decimal(2),
    ]
    frame = pl.DataFrame(
        {"user_id": list("uvwxyz"), "arm": list("ababab"), "y": pl.Series(values, dtype=pl.Decimal(38, 6))}
    )
    frame.write_parquet(tmp_path / "file.parquet")
    _, found, _ = analyze(tmp_path / "file.parquet", "--metric", "y:mean", "--control", "a")
    totals = {row["variant_id"]: row["total"] for row in rows_of(found)}
    assert totals == {arm: float(sum(values[place::2])) for place, arm in enumerate("ab")}
