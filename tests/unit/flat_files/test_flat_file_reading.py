"""Packings, delimiters, decimals: what is read, what is asked, what is refused."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from tests.unit.flat_files.rows import rows_of

from fairsplit.orchestration.cli import main
from fairsplit.orchestration.errors import OrchestrationError
from fairsplit.orchestration.flat_files.reading import read_flat_file


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("x.csv", "arm;y\n{}", ()),
        ("x.csv", "arm|y\n{}", ()),
        ("x.txt", "arm,y\n{}", ()),
        ("x.csv", "arm\ty\n{}", ()),
        ("x.csv", "arm#y\n{}", ("--delimiter", "#")),
        ("x.csv", '"arm","a;b;c;d",y\n{}', ()),
    ],
)
def test_delimiters_are_found_or_said(
    analyze, tmp_path: Path, name: str, content: str, options: tuple[str, ...]
) -> None:
    """The case delimiter-inside-quotes too: what stands in quotes is no delimiter."""
    header = content.splitlines()[0].replace('"', "")
    delimiter = next(sign for sign in (",", "|", "\t", "#", ";") if sign in header)
    cells = ("{0}", "q", "{1}") if "a;b" in content else ("{0}", "{1}")
    lines = "".join(delimiter.join(cells).format("ab"[i % 2], i % 7) + "\n" for i in range(70))
    path = tmp_path / name
    path.write_text(content.format(lines))
    _, found, err = analyze(path, "--variant", "arm", "--metric", "y:mean", *options)
    assert [row["n"] for row in rows_of(found)] == [35, 35]
    promised = "\t" if name.endswith("txt") else ","
    assert ("override with --delimiter" in err) is (delimiter != promised and not options)


@pytest.mark.parametrize(
    ("cells", "options", "mean"),
    [
        (("1,5", "2,25"), (), (1.5 + 2.25) / 2),
        (("1,500", "2,250"), ("--decimal", ","), (1.5 + 2.25) / 2),
        (("1,500", "2,250"), (), None),
        (("1.234,5", "2,0"), (), None),
        (("1,5", "2.5"), (), None),
    ],
)
def test_decimal_commas_are_found_said_or_asked_for(
    analyze, tmp_path: Path, cells: tuple[str, ...], options: tuple[str, ...], mean: float | None
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("arm;y\n" + "".join(f"{'ab'[i // 2 % 2]};{cells[i % 2]}\n" for i in range(80)))
    code, found, err = analyze(path, "--metric", "y:mean", *options)
    if mean is None:
        assert (code, "--decimal ," in err) == (1, True)
    else:
        assert {row["mean"] for row in rows_of(found)} == {mean}
        assert ("override with --decimal ." in err) is not bool(options)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("x.csv", b"arm,y,y\na,1,2\n", "two columns have one name"),
        ("x.csv", b"arm,y, y\na,1,2\n", "two columns have one name"),
        ("x.ndjson", b'{"arm":"a","y":1,"y":2}\n', "two columns have one name"),
        ("x.ndjson", b"[1]\n", "a row is no object"),
        ("x.json", b"[1, 2]", "a row is no object"),
        ("x.json", b'{\n"arm": "a"\n}', "an object a line"),
        ("x.csv", b"", "the file has no rows"),
        ("x.csv", b"\xef\xbb\xbf\n", "the file has no rows"),
        ("x.ndjson", b"", "the file has no rows"),
        ("x.csv", b"arm,y\na,1,2\n", "more cells than the header"),
        ("x.csv", b"arm,y\na,\xff\n", "not UTF-8"),
        ("x.csv", b'arm,y\na,"1\nb,2\n', "quote"),
        ("x.csv", b"PK\x03\x04rest", "a zip archive or an Excel workbook"),
        ("x.csv", b"\x1f\x8b", "packed with gzip"),
        ("x.json", b"PAR1", "a Parquet file"),
        ("x.csv.zip", b"PK\x03\x04rest", "this packing is not supported"),
        ("x.csv.gz.gz", b"\x1f\x8b", "this packing is not supported"),
        ("x.parquet.gz", b"\x1f\x8b", "this packing is not supported"),
        ("x.csv.gz", b"no gzip", "cannot be read"),
        ("x.xlsx", b"PK\x03\x04rest", "unknown format"),
    ],
)
def test_what_cannot_be_read_says_what_it_is(
    analyze, tmp_path: Path, name: str, content: bytes, word: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    code, _, err = analyze(path, "--variant", "arm", "--metric", "y:mean")
    assert (code, word in err, err.count("\n")) == (1, True, 1), err


def test_json_keeps_the_digits_of_ids(analyze, tmp_path: Path) -> None:
    path = tmp_path / "ids.ndjson"
    ids = [2**70 + i // 2 for i in range(40)]
    lines = [json.dumps({"user_id": unit, "arm": "ab"[i // 2 % 2], "y": i % 7}) for i, unit in enumerate(ids)]
    path.write_text("\n".join(lines))
    _, found, _ = analyze(path, "--by", "event", "--unit", "user_id", "--metric", "y:mean")
    assert sum(row["n"] for row in rows_of(found)) == 20


def test_text_shows_both_intervals(tmp_path: Path, capsys, monkeypatch) -> None:
    path = tmp_path / "x.csv"
    path.write_text("arm,y\n" + "".join(f"{'ab'[i % 2]},{i * 7 % 50 + 100}\n" for i in range(400)))
    monkeypatch.setattr(sys, "argv", ["fairsplit", "analyze", str(path), "--metric", "y:mean"])
    with pytest.raises(SystemExit):
        main()
    text = capsys.readouterr().out
    frame = pl.read_csv(path)
    parts = [frame.filter(arm=arm)["y"].to_numpy() for arm in ("b", "a")]
    interval = stats.ttest_ind(*parts, equal_var=False).confidence_interval()
    assert "its interval" in text
    assert f"{interval.low:+.2f}".replace("-", "−") in text
    assert f"{interval.high:+.2f}".replace("-", "−") in text


@pytest.mark.parametrize("values", [[Decimal("1.5")], [None]])
def test_a_decimal_of_more_digits_than_can_be_read_is_refused_by_its_column(tmp_path, values):
    path = tmp_path / "wide.parquet"
    columns = {"user_id": ["u1"], "revenue": pa.array(values, pa.decimal256(50, 6))}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(
        OrchestrationError, match=r"too wide \(revenue: at most 38 digits\)\. Hint: store it as"
    ):
        read_flat_file(path)
