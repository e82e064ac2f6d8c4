"""The `plan` command as it is typed."""

import datetime as dt
import json

import duckdb
import pytest
from typer.testing import CliRunner

from fairsplit.orchestration.cli import app, commands
from fairsplit.orchestration.errors import OrchestrationError

_ = commands


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["plan", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_issues_example_prints_its_figure() -> None:
    fixed = next(
        line
        for line in run("--baseline", ".10", "--effect", "20%", "--power", ".8").splitlines()
        if "fixed" in line
    )
    assert fixed.split()[1:3] == ["3,841", "3,841"]


def test_json_has_every_method_and_the_durations() -> None:
    report = json.loads(
        run("--baseline", "10%", "--effect", "0.2", "--daily", "500", "--days", "7", "--format", "json")
    )
    assert [item["method"] for item in report["designs"]] == [
        "fixed", "group_sequential", "always_valid", "sprt", "bayesian",
    ]  # fmt: skip
    assert report["designs"][0]["days"] == 16
    assert [line["units_analysed"] for line in report["durations"]] == [3_500]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--baseline", ".1", "--metric", "ctr"],
        ["--baseline", "3"],
        ["--baseline", "x"],
        ["--baseline", ".1", "--effect", "0%"],
    ],
)
def test_what_cannot_be_planned_is_said(words: list[str]) -> None:
    done = CliRunner().invoke(app, ["plan", *words])
    assert done.exit_code == 1
    assert hasattr(done.exception, "problem")


def test_a_metric_is_planned_from_the_warehouse(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAIRSPLIT_HOME", str(tmp_path))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema results")
        connection.execute(
            """create table results.comparisons (experiment_id varchar, cut_off date, metric varchar,
               segment varchar, segment_level varchar, analysis varchar, status varchar,
               variant_id varchar, comparison varchar, n bigint, mean double, std_error double,
               cuped boolean, variance_reduction double)"""
        )
        day = dt.date(2026, 1, 12)
        row = ["checkout_cta", day, "checkout_conversion", "all", "all", "default", "ok"]
        connection.execute(
            "insert into results.comparisons values (?,?,?,?,?,?,?, 'control', null, 900, 0.1, 0.01, null, null)",
            row,
        )
        connection.execute(
            "create table results.validity (experiment_id varchar, cut_off date, status varchar)"
        )
        connection.execute(
            """create table fct_daily_exposures as select 'checkout_cta' as experiment_id, 'all' as segment,
               'all' as segment_level, date '2026-01-05' as exposure_day, 'control' as variant_id, 1000 as units"""
        )
    report = json.loads(run("--metric", "checkout_conversion", "--effect", "20%", "--format", "json"))
    assert report["baseline"]["source"] == "checkout_cta"
    assert report["designs"][0] | {"expected": 0} == {
        "method": "fixed", "control": 3_841, "arm": 3_841, "total": 7_682, "expected": 0, "days": 8 + 7,
    }  # fmt: skip
    with pytest.raises(OrchestrationError, match="nothing has been measured"):
        run("--metric", "error_rate")
