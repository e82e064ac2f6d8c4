"""Other inputs of the kinds of the cases: whatever a file looks like, its figures or one message that says why not.

The kinds are those of `empty-cell-drops-a-metric`, `padded-cells`, `column-types-refused-in-words`,
`repeated-units-unsaid` and `delimiter-inside-quotes`; each test writes its own files.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from scipy import stats
from tests.unit.flat_files.rows import treated

ROWS = [(f"{i:04d}", "ab"[i % 2], int(i % 7 < 2 + i % 2), round(i * 37 % 101 / 3, 2)) for i in range(120)]
HEADER = ("user_id", "variant", "converted", "revenue")
LINES = [",".join(HEADER), *(",".join(map(str, row)) for row in ROWS)]
TEXT = "\n".join(LINES) + "\n"


def written(folder: Path, text: str, name: str = "file.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def by_hand() -> float:
    arms = [[row[3] for row in ROWS if row[1] == arm] for arm in "ba"]
    return float(stats.ttest_ind(*arms, equal_var=False).pvalue)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TEXT, "utf-8-sig"),
        (TEXT.replace("\n", "\r\n"), "utf-8"),
        (TEXT.replace("\n", "\r"), "utf-8"),
        (TEXT, "utf-16"),
        ("\ufeff" + TEXT, "utf-16-be"),
        (TEXT, "utf-32"),
        ("sep=;\r\n" + TEXT.replace(",", ";"), "utf-8"),
        ('"sep=|"\n' + TEXT.replace(",", "|"), "utf-8"),
        (TEXT.replace("0033,", "\n0033,") + "\n\n", "utf-8"),
        (TEXT.replace("0033,", ",,,\n0033,"), "utf-8"),
        (TEXT.replace("\n", ",\n"), "utf-8"),
        ('"' + TEXT.replace(",", '","').replace("\n", '"\n"').removesuffix('"'), "utf-8"),
    ],
)
def test_packings_of_the_same_rows_give_the_same_figures(analyze, tmp_path, text: str, encoding: str) -> None:
    path = written(tmp_path, text, encoding=encoding)
    code, found, err = analyze(path, "--metric", "revenue:mean")
    assert code == 0, err
    assert treated(found)["n"] == 60
    assert treated(found)["p_value"] == pytest.approx(by_hand(), rel=1e-9)


@pytest.mark.parametrize(
    ("cells", "word", "hint"),
    [
        ([f"${row[3]}" for row in ROWS], "$0.0 in row 1", "write the number alone"),
        ([f"{row[3]} €" for row in ROWS], "0.0 € in row 1", "write the number alone"),
        ([f"USD {row[3]}" for row in ROWS], "USD 0.0 in row 1", "write the number alone"),
        ([f"{row[3]}%" for row in ROWS], "0.0% in row 1", "write the number alone"),
        ([f'"{row[3] * 1000:,.2f}"' for row in ROWS], "12,330.00 in row 2", "thousands"),
        (
            [f"{row[3] * 1000:_.2f}".replace("_", "'") for row in ROWS],
            "12'330.00 in row 2",
            "write the number",
        ),
        ([f"({row[3]})" for row in ROWS], "(0.0) in row 1", "write the number alone"),
        ([f"−{row[3]}" for row in ROWS], "−0.0 in row 1", "write the number alone"),
        (["1" if row[2] else "" for row in ROWS], "first in row", "fill them"),
    ],
)
def test_the_column_that_would_decide_is_named_with_its_row(analyze, tmp_path, cells, word, hint) -> None:
    """Kind empty-cell-drops-a-metric: amounts as a spreadsheet writes them let no other column decide in silence."""
    rows = [
        f"{row[0]},{row[1]},{i % 5},{cell}" for i, (row, cell) in enumerate(zip(ROWS, cells, strict=True))
    ]
    path = written(tmp_path, "\n".join(["user_id,variant,pages,revenue", *rows]) + "\n")
    code, _, err = analyze(path)
    assert (code, "--metric revenue" in err, word in err, hint in err) == (1, True, True, True), err


def test_text_that_is_called_like_an_outcome_is_named(analyze, tmp_path) -> None:
    rows = [f"{row[0]},{row[1]},{row[2]},0x{i:x}" for i, row in enumerate(ROWS)]
    code, _, err = analyze(written(tmp_path, "\n".join([",".join(HEADER), *rows])))
    assert (code, "no metrics are revenue (a string)" in err) == (0, True), err


def test_versions_and_addresses_are_no_amounts(analyze, tmp_path) -> None:
    rows = [f"{','.join(map(str, row))},1.{i % 3}.0,10.0.0.{i},AB{i} 3CD" for i, row in enumerate(ROWS)]
    header = ",".join((*HEADER, "app", "address", "place"))
    code, found, err = analyze(written(tmp_path, "\n".join([header, *rows])))
    assert (code, {row["metric"] for row in found["comparisons"]}) == (0, {"converted", "revenue"}), err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n".join(LINES[1:]), ["the file has no header", "0000, a, 1, 0.0"]),
        (TEXT.replace(",", ":"), ["the file has one column", "--delimiter"]),
        (TEXT.replace(",", "\x01"), ["the file has one column", "--delimiter"]),
        (TEXT.replace("0033,", ","), ["--unit user_id: empty values", "row 34"]),
        (TEXT + "0120,a\n", ["--metric converted: empty values", "row 121"]),
        (TEXT + "0120,a,1,2,3\n", ["a row has more cells than the header"]),
        ("# of today\n" + TEXT, ["a row has more cells than the header"]),
    ],
)
def test_what_is_no_table_is_refused_by_what_it_is(analyze, tmp_path, text: str, words: list[str]) -> None:
    code, _, err = analyze(written(tmp_path, text))
    assert (code, [word for word in words if word not in err]) == (1, []), err


def test_text_of_two_bytes_without_a_mark_is_no_text(analyze, tmp_path) -> None:
    code, _, err = analyze(written(tmp_path, TEXT, encoding="utf-16-le"))
    assert (code, "not UTF-8" in err) == (1, True), err


def test_columns_that_a_program_numbered_are_a_header(analyze, tmp_path) -> None:
    path = written(tmp_path, "\n".join(["0,1,2,3", *LINES[1:]]))
    code, found, err = analyze(path, "--variant", "1", "--unit", "0", "--metric", "3:mean")
    assert code == 0, err
    assert treated(found)["p_value"] == pytest.approx(by_hand(), rel=1e-9)


def test_ids_of_bytes_are_ids(analyze, tmp_path) -> None:
    """Kind repeated-units-unsaid: a UUID in its sixteen bytes repeats like any other id."""
    frame = pl.DataFrame(
        {
            "user_id": [(2**127 + i // 3).to_bytes(16, "big") for i in range(120)],
            "variant": [row[1] for row in ROWS],
            "converted": [row[2] for row in ROWS],
        }
    )
    path = tmp_path / "file.parquet"
    frame.write_parquet(path)
    code, _, err = analyze(path)
    assert (code, "share their user_id" in err, "80000000000000000000000000000000" in err) == (1, True, True)
    frame.with_columns(user_id=pl.concat_list(pl.lit(1), pl.lit(2))).write_parquet(path)
    code, _, err = analyze(path)
    assert (code, "--unit user_id: the column holds no names" in err) == (1, True), err


def test_a_duration_that_would_decide_is_refused_with_the_way_out(analyze, tmp_path) -> None:
    frame = pl.DataFrame(
        {
            "user_id": [row[0] for row in ROWS],
            "variant": [row[1] for row in ROWS],
            "time_spent": pl.Series([row[3] for row in ROWS]).cast(pl.Int64).cast(pl.Duration("ms")),
        }
    )
    frame.write_parquet(tmp_path / "file.parquet")
    code, _, err = analyze(tmp_path / "file.parquet")
    assert (code, "time_spent" in err, "number of seconds" in err) == (1, True, True), err


def test_shares_beside_the_units_of_an_arm_are_named(analyze, tmp_path) -> None:
    path = written(tmp_path, "group,visitors,conversion_rate\nA,1000,0.1\nB,1010,0.14\n")
    code, _, err = analyze(path)
    assert (code, "no metrics are conversion_rate: no counts among visitors" in err) == (0, True), err


@pytest.mark.parametrize("cell", ["{:%Y%m%d}", "{:%Y%m}", "{:%Y}"])
def test_days_and_months_in_digits_are_no_amounts(analyze, tmp_path, cell: str) -> None:
    """Kind guess-of-the-deciding-metric: 20260131 is a day, whatever the column is called."""
    lines = [
        f"{row[0]},{row[1]},{cell.format(date(2026, 1 + i % 2, 1 + i % 28))},{row[2]}"
        for i, row in enumerate(ROWS)
    ]
    code, found, err = analyze(written(tmp_path, "\n".join(["user_id,variant,cohort_since,pages", *lines])))
    assert (code, {row["metric"] for row in found["comparisons"]}) == (0, {"pages"}), err


def test_amounts_that_only_begin_like_years_stay_amounts(analyze, tmp_path) -> None:
    lines = [f"{row[0]},{row[1]},{202600 + i}" for i, row in enumerate(ROWS)]
    code, found, err = analyze(written(tmp_path, "\n".join(["user_id,variant,steps", *lines])))
    assert (
        code,
        "counts the rows" in err or {row["metric"] for row in found["comparisons"]} == {"steps"},
    ) == (0, True)
