"""`fairsplit.analyze` on tables of any library: the figures of the command, and one message for what is no table."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

import fairsplit
from fairsplit.orchestration.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = date(2026, 3, 1)


@pytest.fixture
def command(capsys, monkeypatch) -> Callable[..., str]:
    """What the command prints."""

    def call(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["fairsplit", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0
        return capsys.readouterr().out

    return call


ROWS = pl.DataFrame(
    {
        "id": [f"{number:04}" for number in range(600)],
        "arm": ["old", "new"] * 300,
        "spent": [((number * 37) % 101) / 10 + number % 2 for number in range(600)],
        "bought": [number % 5 == 0 or number % 7 == 1 for number in range(600)],
    }
)


def _duckdb(frame: pl.DataFrame) -> object:
    return duckdb.connect().from_arrow(frame.to_arrow())


MAKERS: dict[str, Callable[[pl.DataFrame], object]] = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
    "pandas, other index": lambda frame: frame.to_pandas().set_index(pd.Index(range(9_000, 9_600))),
    "arrow": lambda frame: frame.to_arrow(),
    "duckdb": _duckdb,
}


@pytest.mark.parametrize("library", MAKERS)
def test_every_library_gives_the_rows_that_the_command_prints(library, tmp_path: Path, command):
    path = tmp_path / "table.parquet"
    ROWS.write_parquet(path)
    words = ["--control", "old", "--metric", "spent:mean", "--metric", "bought", "--as-of", "2026-03-01"]
    printed = json.loads(command("analyze", str(path), *words, "--format", "json"))
    found = fairsplit.analyze(
        MAKERS[library](ROWS), control="old", metrics=["spent:mean", "bought"], as_of=DAY
    )
    assert found.to_dict() == printed
    assert found.comparisons.height == len(printed["comparisons"]) == 4


def test_the_figures_are_welchs(tmp_path: Path):
    """By scipy: the p-value of the difference in means, and the means themselves."""
    found = fairsplit.analyze(ROWS.to_pandas(), control="old", metrics="spent:mean", as_of=DAY)
    arms = {name: ROWS.filter(pl.col("arm") == name)["spent"].to_numpy() for name in ("old", "new")}
    (row,) = found.comparisons.filter(pl.col("variant_id") == "new").to_dicts()
    expected = stats.ttest_ind(arms["new"], arms["old"], equal_var=False)
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert row["lift_abs"] == pytest.approx(arms["new"].mean() - arms["old"].mean(), rel=1e-12)


def test_missing_values_of_pandas_are_missing():
    """NaN of pandas is what an empty cell of a file is, and a null of Polars."""
    part = ROWS.with_columns(spent=pl.when(pl.col("id") != "0007").then("spent"))
    frames = (part, part.to_pandas())
    assert frames[1]["spent"].isna().sum() == 1
    said = []
    for frame in frames:
        try:
            said.append(fairsplit.analyze(frame, control="old", metrics="spent:mean", as_of=DAY).to_dict())
        except fairsplit.FairsplitError as error:
            said.append(str(error))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (17, "data: is no table that can be read (int: "),
        ({"arm": ["a"]}, "data: is no table that can be read (dict: "),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "data: two columns have one name (a: each name once)"),
        (pd.DataFrame([[1, 2]]), "data: a column's name is no text (0: names such as 'variant')"),
        (
            pa.table([[1], [2]], names=["a", "a"]),
            "data: two columns have one name (a: each name once)",
        ),
        (pd.DataFrame({"arm": ["a", "b"], "y": [1, "x"]}), "data: is no table that can be read (DataFrame: "),
        (pl.DataFrame({"arm": []}), "the file has no rows"),
        ("nowhere.csv", "FILE: no such file (nowhere.csv)"),
    ],
)
def test_what_is_no_table_is_one_message(data, words):
    with pytest.raises(fairsplit.FairsplitError) as caught:
        fairsplit.analyze(data)
    assert str(caught.value).startswith(words)


def test_a_notebook_shows_verdict_checks_and_figures_and_runs_no_names():
    hostile = ROWS.with_columns(arm=pl.col("arm").replace("new", "<script>alert(1)</script>"))
    found = fairsplit.analyze(hostile, control="old", metrics="spent:mean", as_of=DAY)
    html = found._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    said = html.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'").replace("&#34;", '"')
    assert found.decisions["sentence"][0] in said
    for sentence in found.validity["sentence"]:
        assert sentence in said
    for guess in found.assumed:
        assert f"Assumed: {guess}." in said


def test_the_printed_scorecard_is_the_commands(tmp_path: Path, command):
    path = tmp_path / "table.parquet"
    ROWS.write_parquet(path)
    printed = command("analyze", str(path), "--control", "old")
    assert str(fairsplit.analyze(path, control="old")) == printed.rstrip("\n")


def test_pages_of_a_table_need_no_server(tmp_path: Path):
    page = fairsplit.analyze(ROWS, control="old", metrics="spent").write_html(tmp_path / "pages")
    assert page == tmp_path / "pages" / "experiments" / "table.html"
    assert page.is_file()


def test_a_plan_is_the_commands(command):
    """Fleiss: 3,841 an arm for 10 % against 12 %, with power .8 (also the README's of the planner)."""
    options = ["--baseline", ".10", "--effect", "20%", "--daily", "500", "--days", "7", "--format", "json"]
    made = fairsplit.plan(0.1, effect=0.2, daily=500, days=[7])
    assert made.report == json.loads(command("plan", *options))
    fixed = made.designs.row(by_predicate=pl.col("method") == "fixed", named=True)
    assert (fixed["control"], fixed["arm"]) == (3_841, 3_841)
    assert made.durations["units_analysed"].unique().to_list() == [3_500]
    assert fairsplit.plan(0.1, effect=0.2).durations.is_empty()


def test_importing_fairsplit_loads_nothing_heavy():
    code = "import fairsplit, sys; assert not {'polars', 'duckdb', 'dagster'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {"analyze", "open", "plan"} <= set(dir(fairsplit))
    with pytest.raises(AttributeError, match="has no attribute 'analyse'"):
        _ = fairsplit.analyse
