"""`fairsplit.open`: the tables as frames, equal to what the commands print and to the events behind them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.oracle.worlds import EXPERIMENTS, LAST_DAY
from typer.testing import CliRunner

import fairsplit
from fairsplit.analysis.judgement import rows
from fairsplit.orchestration.cli import app, commands  # noqa: F401

if TYPE_CHECKING:
    from tests.oracle.homes import DrivenHome

pytestmark = pytest.mark.integration
PLAIN = next(one for one in EXPERIMENTS if one.id == "plain")


@pytest.fixture
def opened(home: DrivenHome, monkeypatch: pytest.MonkeyPatch) -> fairsplit.OpenProject:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(home.home.root))
    monkeypatch.setenv("FAIRSPLIT_CATALOG", str(home.catalog))
    return fairsplit.open()


def test_results_are_the_rows_that_the_command_prints(opened: fairsplit.OpenProject) -> None:
    done = CliRunner().invoke(app, ["results", "--format", "json"], catch_exceptions=False)
    printed = [row for one in json.loads(done.output) for row in one["comparisons"]]
    found = opened.results()
    assert found.schema == dict(rows.COMPARISONS)
    assert json.loads(json.dumps(found.to_dicts(), default=str)) == printed
    decided = [one["decision"] for one in json.loads(done.output) if one["decision"]]
    assert json.loads(json.dumps(opened.decisions().to_dicts(), default=str)) == decided


def test_one_experiment_one_metric_every_day(opened: fairsplit.OpenProject) -> None:
    newest = opened.results("plain", "purchases_per_user")
    assert newest["cut_off"].unique().to_list() == [LAST_DAY]
    every = opened.results("plain", "purchases_per_user", every_cut_off=True)
    assert every.filter(pl.col("cut_off") == LAST_DAY).equals(newest)
    assert every["cut_off"].n_unique() > 1
    assert set(opened.validity("plain").columns) == set(rows.VALIDITY)
    assert opened.allocations("plain").is_empty()
    for call in (opened.results, opened.validity, opened.exposures):
        with pytest.raises(fairsplit.FairsplitError, match="unknown experiment"):
            call("nowhere")
    with pytest.raises(fairsplit.FairsplitError, match="unknown metric"):
        opened.results("plain", "nothing")


def test_unit_values_add_up_to_the_published_totals(opened: fairsplit.OpenProject) -> None:
    """Two ways to one figure: the pipeline's sums by day, and each unit's own events."""
    seen = opened.exposures("plain")
    assert seen.select("unit_id").is_duplicated().sum() == 0
    for metric in PLAIN.metrics:
        values = opened.metric_values("plain", metric)
        assert set(values["unit_id"]) <= set(seen["unit_id"])
        counted = values.group_by("variant_id").agg(pl.len().alias("n"), pl.col("value").sum())
        shown = opened.results("plain", metric).filter(
            pl.col("segment") == "all", pl.col("analysis") == "default"
        )
        for row in shown.iter_rows(named=True):
            of_arm = counted.filter(pl.col("variant_id") == row["variant_id"])
            assert of_arm["n"].to_list() == [row["n"]], metric
            if row["total"] is not None:
                assert of_arm["value"].item() == pytest.approx(row["total"], rel=1e-12), metric


def test_a_project_is_opened_by_its_folder(tmp_path, opened: fairsplit.OpenProject) -> None:
    """The folder that is named counts, whatever the environment says of homes."""
    with pytest.raises(fairsplit.FairsplitError, match="no project"):
        fairsplit.open(tmp_path)
    (tmp_path / "fairsplit.yaml").write_text("home: .fairsplit\n")
    other = fairsplit.open(tmp_path)
    assert other.home.root == tmp_path / ".fairsplit"
    with pytest.raises(fairsplit.FairsplitError, match="nothing has been built yet"):
        other.results()
    assert fairsplit.open(tmp_path, home=opened.home.root).results().equals(opened.results())
