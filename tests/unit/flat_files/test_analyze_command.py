"""`fairsplit analyze`: every refusal is one message, and names are only text."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from fairsplit.orchestration.cli import app, main

GOOD = "id,arm,y,done,country\n" + "".join(f"{i},{'ab'[i % 2]},{i % 7},{i % 3 == 0},DE\n" for i in range(400))


def call(capsys, monkeypatch, *arguments: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["fairsplit", "analyze", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "players.csv"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--metric", "revenue"],
            "--metric: no such column (revenue). Hint: the columns are id, arm, y, done, country",
        ),
        (["--metric", "dome"], "--metric: no such column (dome). Hint: did you mean 'done'?"),
        (["--variant", "amr"], "--variant: no such column (amr). Hint: did you mean 'arm'?"),
        (["--control", "c"], "--control c: no such arm. Hint: the arms are a, b"),
        (
            ["--metric", "country"],
            "--metric country: the column is not numeric (DE in row 1: numbers, or true and false)",
        ),
        (
            ["--metric", "y:proportion"],
            "--metric y: a proportion's values are not 0 and 1 (2: 0, 1, true or false). Hint: use y:mean",
        ),
        (["--variant", "country"], "--variant country: there is one arm only (DE: two arms or more)"),
        (
            ["--metric", "y:men"],
            (
                "--metric: unknown type of metric (men: proportion, z, mean, ratio, median, p1 to p99, "
                "mann_whitney, ks, a custom part). Hint: did you mean 'mean'?"
            ),
        ),
        (["--ratio", "1:2:3"], "--ratio: the ratio does not fit the arms (1:2:3: 2 numbers)"),
        (["--ratio", "1:x"], "--ratio: is not a split (1:x: numbers such as 1:1:2)"),
        (["--ratio", "1:0"], "--ratio: a share of the ratio is not above 0 (such as 1:1:2)"),
        (
            ["--unit", "y"],
            (
                "--unit y: 400 rows share their y with another (for example 0: one row a unit). "
                "Hint: --by event --unit y adds the rows of one y up; --cluster y keeps rows as units and takes "
                "their dependence into account; --unit COL names another id"
            ),
        ),
        (["--segment", "id"], "--segment id: a segment has too many levels (400: at most 50)"),
        (
            ["--variant", "id"],
            (
                "--variant id: too many arms (400: at most 100). Hint: is this the unit's id? If the file holds many "
                "experiments, name their column with --experiment"
            ),
        ),
        (["--metric", "arm"], "--metric: one column has two parts (arm). Hint: it is the --variant"),
        (["--metric", "y", "--metric", "y"], "--metric: a metric is named twice (y:mean)"),
        (
            ["--metric", "y", "--covariate", "y"],
            "--covariate: a metric is its own covariate (y: a covariate is known before the exposure)",
        ),
        (
            ["--by", "arm", "--metric", "id/y"],
            "--metric id/y: these are no counts of an arm (7 of 0 in row 8: whole numbers, 0 ≤ successes ≤ units)",
        ),
        (["--alpha", "1.5"], "--alpha: is not a level (1.5: between 0 and 1)"),
        (["--table", "x"], "--table: only a DuckDB file has tables (x)"),
    ],
)
def test_refusals(good: Path, options: list[str], message: str, capsys, monkeypatch) -> None:
    code, out, err = call(capsys, monkeypatch, good, *options)
    assert code == 1
    assert out == ""
    assert err.splitlines()[-1] == f"error: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("arm,y\n", "the file has no rows"),
        (
            "arm,y\na,1\na,\nb,2\n",
            (
                "--metric y: empty values (1, first in row 2: a number in every row). Hint: fill them (0 where nothing "
                "happened) or leave those units out, equally in every arm"
            ),
        ),
        ("arm,y\na,1\na,NaN\nb,2\n", "--metric y: NaN or infinite values (first in row 2: finite numbers)"),
        ("arm,y\na,1\nb,inf\nb,2\n", "--metric y: NaN or infinite values (first in row 2: finite numbers)"),
        (
            "arm,y\na,1\nb,1e16\n",
            (
                "--metric y: values are too large (1e16 in row 2: at most 1e+15 either way). "
                "Hint: use a larger unit; an id is no number"
            ),
        ),
        ("arm,y\na,1\n,2\nb,3\n", "--variant arm: empty values (1, first in row 2: a value in every row)"),
        ("arm,y\na,1\na,2\n", "--variant arm: there is one arm only (a: two arms or more)"),
    ],
)
def test_bad_cells(content: str, message: str, tmp_path: Path, capsys, monkeypatch) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    code, _, err = call(capsys, monkeypatch, path, "--variant", "arm", "--metric", "y")
    assert (code, err.splitlines()[-1]) == (1, f"error: {message}")


def test_files_that_cannot_be_read(tmp_path: Path, good: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, monkeypatch, Path("player.csv"))
    assert code == 1
    assert err.endswith("player.csv). Hint: did you mean 'players.csv'?\n")
    (tmp_path / "page.html").write_text("<p>")
    assert "unknown format (page.html: CSV or TSV" in call(capsys, monkeypatch, tmp_path / "page.html")[2]
    (tmp_path / "broken.parquet").write_text("not parquet")
    code, _, err = call(capsys, monkeypatch, tmp_path / "broken.parquet")
    assert code == 1
    assert "the file cannot be read" in err
    with duckdb.connect(str(tmp_path / "two.duckdb")) as connection:
        connection.execute("create table one (x int); create table two (x int)")
    err = call(capsys, monkeypatch, tmp_path / "two.duckdb")[2]
    assert err == "error: --table: which table?. Hint: the tables are one, two\n"


def test_text_json_and_pages(good: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    options = (good, "--metric", "done", "--metric", "y", "--as-of", "2026-01-05")
    code, text, err = call(capsys, monkeypatch, *options)
    assert code == 0
    assert "assumed: the arm is in column arm" in err
    assert "done (primary" in text
    code, text, _ = call(capsys, monkeypatch, *options, "--format", "json")
    found = json.loads(text)
    assert list(found) == ["assumed", "notes", "comparisons", "validity", "decisions", "differences"]
    assert {row["cut_off"] for row in found["comparisons"]} == {"2026-01-05"}
    code, text, _ = call(capsys, monkeypatch, *options, "--format", "html", "--output", tmp_path / "card")
    assert Path(text.strip()) == tmp_path / "card" / "experiments" / "players.html"
    assert "2026-01-05" in Path(text.strip()).read_text()


def test_hostile_names_are_only_text(tmp_path: Path, capsys, monkeypatch) -> None:
    path = tmp_path / "hostile.csv"
    arms = ("=1+1", "<script>alert(1)</script>[bold]\x1b[31m")
    path.write_text("arm,../y\n" + "".join(f'"{arms[i % 2]}",{i % 5}\n' for i in range(100)))
    code, text, _ = call(
        capsys, monkeypatch, path, "--variant", "arm", "--control", "=1+1", "--metric", "../y"
    )
    assert code == 0
    assert "\x1b" not in text
    assert "[bold]" in text
    options = (
        "--variant",
        "arm",
        "--control",
        "=1+1",
        "--metric",
        "../y",
        "--format",
        "html",
        "--output",
        tmp_path / "o",
    )
    code, text, _ = call(capsys, monkeypatch, path, *options)
    assert code == 0
    assert "<script>alert(1)" not in Path(text.strip()).read_text()
    assert {p.name for p in tmp_path.iterdir()} == {"hostile.csv", "o"}


def test_every_option_is_documented() -> None:
    command = next(
        c for c in app.registered_commands if c.callback is not None and c.callback.__name__ == "analyze"
    )
    text = (Path(__file__).resolve().parents[3] / "docs" / "analyze.md").read_text()
    names = [name for name in inspect.signature(command.callback).parameters if name != "file"]
    options = ["format" if name == "output_format" else name.replace("_", "-") for name in names]
    assert [option for option in options if f"`--{option}" not in text] == []


@pytest.mark.parametrize(
    "twice", [("--variant", "arm"), ("--alpha", "0.1"), ("--by", "unit"), ("--table", "t")]
)
def test_option_given_twice_is_refused_unless_it_is_a_list(
    good: Path, twice: tuple[str, str], capsys, monkeypatch
) -> None:
    code, _, err = call(capsys, monkeypatch, good, *twice, *twice)
    assert (code, err) == (1, f"error: {twice[0]}: is given twice (once). Hint: the last one would win\n")


def test_analyze_imports_no_distributions_that_it_does_not_need() -> None:
    """`scipy.stats` and the chart library cost more than the analysis of a hundred thousand rows."""
    rooms = "from fairsplit.analysis import flat_files, scorecards"
    asked = f"import sys, fairsplit.orchestration.cli.analyze; {rooms}"
    heavy = ("scipy.stats", "statsmodels", "vl_convert", "dagster", "dbt")
    told = f"print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{asked}; {told}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
