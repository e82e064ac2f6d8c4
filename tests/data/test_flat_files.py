"""Facts of the real data files come out of the command that an example's README names."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING

import duckdb
import pytest
from typer.testing import CliRunner

from fairsplit.orchestration.cli import app, commands

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data
assert commands.__all__


def analyze(*arguments: object) -> dict:
    done = CliRunner().invoke(
        app, ["analyze", *map(str, arguments), "--format", "json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def row(found: dict, metric: str, arm: str, table: str = "comparisons") -> dict:
    return next(r for r in found[table] if r["metric"] == metric and r["variant_id"] == arm)


def check_proportion(found: dict, expected: dict, metric: str, arm: str, control: str) -> None:
    treated, untreated = row(found, metric, arm), row(found, metric, control)
    assert (treated["total"], treated["n"]) == (expected["x_treat"], expected["n_treat"])
    assert (untreated["total"], untreated["n"]) == (expected["x_ctrl"], expected["n_ctrl"])
    assert treated["method"] == "two_proportion_z"
    assert treated["statistic"] == pytest.approx(expected["z_pooled"], rel=1e-9)
    assert treated["p_value"] == pytest.approx(expected["p_two_sided"], rel=1e-8)
    assert treated["lift_abs"] == pytest.approx(expected["diff"], rel=1e-9)
    assert treated["lift_rel"] == pytest.approx(expected["rel_lift"], rel=1e-9)


def check_mean(found: dict, expected: dict, metric: str, arm: str, control: str) -> None:
    treated, untreated = row(found, metric, arm), row(found, metric, control)
    assert (treated["n"], untreated["n"]) == (expected["n_treat"], expected["n_ctrl"])
    assert treated["mean"] == pytest.approx(expected["mean_treat"], rel=1e-12)
    assert untreated["mean"] == pytest.approx(expected["mean_ctrl"], rel=1e-12)
    assert treated["statistic"] == pytest.approx(expected["t"], rel=1e-8)
    assert treated["df"] == pytest.approx(expected["df"], rel=1e-8)
    assert treated["p_value"] == pytest.approx(expected["p_two_sided"], rel=1e-8)


@pytest.fixture(scope="module")
def cookie_cats(data_dir: Path) -> dict:
    return analyze(
        data_dir / "cookie_cats" / "cookie_cats.csv",
        *("--metric", "retention_7:z", "--metric", "retention_1:z"),
        *("--metric", "sum_gamerounds:mean", "--metric", "sum_gamerounds:mann_whitney"),
    )


class TestCookieCats:
    def test_borderline_split_is_a_warning(self, cookie_cats: dict, reference: dict) -> None:
        (srm,) = (check for check in cookie_cats["validity"] if check["check"] == "srm")
        expected = reference["cookie_cats"]["srm_5050"]
        assert srm["status"] == "warn"
        assert srm["statistic"] == pytest.approx(expected["chi2"], rel=1e-9)
        assert srm["p_value"] == pytest.approx(expected["p"], rel=1e-9)
        assert srm["observed"] == "44,700 / 45,489"

    @pytest.mark.parametrize("metric", ["retention_1", "retention_7"])
    def test_retention(self, cookie_cats: dict, reference: dict, metric: str) -> None:
        check_proportion(cookie_cats, reference["cookie_cats"][metric], metric, "gate_40", "gate_30")

    def test_control_wins(self, cookie_cats: dict) -> None:
        (decision,) = cookie_cats["decisions"]
        assert (decision["action"], decision["variant_id"]) == ("roll_back", "gate_30")

    def test_game_rounds(self, cookie_cats: dict, reference: dict) -> None:
        expected = reference["cookie_cats"]
        check_mean(cookie_cats, expected["sum_gamerounds_welch"], "sum_gamerounds", "gate_40", "gate_30")
        ranks = row(cookie_cats, "sum_gamerounds:mann_whitney", "gate_40")
        assert ranks["p_value"] == pytest.approx(expected["mannwhitney_p"], rel=1e-4)

    def test_without_the_one_player_of_49854_rounds(
        self, data_dir: Path, reference: dict, tmp_path: Path
    ) -> None:
        path = tmp_path / "without.csv"
        lines = (data_dir / "cookie_cats" / "cookie_cats.csv").read_text().splitlines()
        path.write_text("\n".join(line for line in lines if ",49854," not in line))
        found = analyze(path, "--metric", "sum_gamerounds:mean")
        expected = reference["cookie_cats"]["sum_gamerounds_welch_without_49854_outlier"]
        check_mean(found, expected, "sum_gamerounds", "gate_40", "gate_30")

    def test_the_default_test_agrees_with_the_textbook_one(self, data_dir: Path, reference: dict) -> None:
        found = analyze(data_dir / "cookie_cats" / "cookie_cats.csv", "--metric", "retention_7")
        expected = reference["cookie_cats"]["retention_7"]
        assert row(found, "retention_7", "gate_40")["method"] == "welch"
        assert row(found, "retention_7", "gate_40")["p_value"] == pytest.approx(
            expected["p_two_sided"], rel=2e-3
        )

    def test_the_scorecard_says_the_same(self, data_dir: Path, tmp_path: Path) -> None:
        file, folder = data_dir / "cookie_cats" / "cookie_cats.csv", tmp_path / "card"
        done = CliRunner().invoke(
            app,
            ["analyze", str(file), "--metric", "retention_7", "--format", "html", "--output", str(folder)],
        )
        assert done.exit_code == 0, done.output
        page = (folder / "experiments" / "cookie_cats.html").read_text()
        assert "45,489" in page
        assert "−4.3%" in page


@pytest.fixture(scope="module")
def hillstrom(data_dir: Path) -> dict:
    metrics = ("--metric", "visit:z", "--metric", "conversion:z", "--metric", "spend:mean")
    return analyze(data_dir / "hillstrom" / "hillstrom.csv", *metrics)


class TestHillstrom:
    @pytest.mark.parametrize("arm", ["Mens E-Mail", "Womens E-Mail"])
    def test_three_arms(self, hillstrom: dict, reference: dict, arm: str) -> None:
        expected = reference["hillstrom"][arm]
        for metric in ("visit", "conversion"):
            check_proportion(hillstrom, expected[metric], metric, arm, "No E-Mail")
        check_mean(hillstrom, expected["spend"], "spend", arm, "No E-Mail")

    def test_arms_against_each_other(self, data_dir: Path, reference: dict, tmp_path: Path) -> None:
        path = tmp_path / "two.csv"
        with (data_dir / "hillstrom" / "hillstrom.csv").open() as source, path.open("w") as target:
            target.writelines(line for line in source if ",No E-Mail," not in line)
        found = analyze(
            path, *("--control", "Womens E-Mail", "--metric", "visit:z", "--metric", "spend:mean")
        )
        expected = reference["hillstrom"]["Mens vs Womens"]
        check_proportion(found, expected["visit"], "visit", "Mens E-Mail", "Womens E-Mail")
        check_mean(found, expected["spend"], "spend", "Mens E-Mail", "Womens E-Mail")

    def test_split(self, hillstrom: dict, reference: dict) -> None:
        (srm,) = (check for check in hillstrom["validity"] if check["check"] == "srm")
        assert srm["status"] == "pass"
        assert srm["p_value"] == pytest.approx(reference["hillstrom"]["srm_equal"]["p"], rel=1e-9)

    def test_pre_period_covariates_keep_the_effect_and_do_not_widen_it(
        self, hillstrom: dict, data_dir: Path
    ) -> None:
        options = (
            "--metric",
            "spend:mean",
            "--covariate",
            "history",
            "--covariate",
            "recency",
            "--segment",
            "channel",
        )
        found = analyze(data_dir / "hillstrom" / "hillstrom.csv", *options)
        plain, adjusted = row(hillstrom, "spend", "Mens E-Mail"), row(found, "spend", "Mens E-Mail")
        assert adjusted["cuped"]
        assert adjusted["lift_std_error"] <= plain["lift_std_error"]
        assert abs(adjusted["lift_abs"] - plain["lift_abs"]) < plain["lift_std_error"]
        levels = {r["segment_level"] for r in found["comparisons"] if r["segment"] == "channel"}
        assert levels == {"Multichannel", "Phone", "Web"}


@pytest.fixture(scope="module")
def upworthy(data_dir: Path) -> dict:
    file = data_dir / "upworthy" / "upworthy_exploratory.parquet"
    options = (
        "--experiment",
        "clickability_test_id",
        "--variant",
        "csv_row",
        "--metric",
        "clicks/impressions",
    )
    return analyze(file, *options)


@pytest.fixture(scope="module")
def per_test(data_dir: Path) -> dict[str, dict]:
    with (data_dir / "upworthy" / "reference_per_test.csv").open() as lines:
        return {line["clickability_test_id"]: line for line in csv.DictReader(lines)}


class TestUpworthy:
    def test_the_randomisation_fault_is_found_where_it_was(self, upworthy: dict, per_test: dict) -> None:
        faulty = {name for name, line in per_test.items() if 201325 <= int(line["test_week_min"]) <= 201401}
        failed = {check["experiment_id"] for check in upworthy["validity"] if check["status"] == "fail"}
        assert len(upworthy["decisions"]) == len(per_test) == 4873
        assert (len(failed & faulty), len(faulty)) == (735, 1058)
        assert (len(failed - faulty), len(per_test) - len(faulty)) == (18, 3815)

    def test_no_test_with_a_faulty_split_has_a_verdict(self, upworthy: dict) -> None:
        failed = {check["experiment_id"] for check in upworthy["validity"] if check["status"] == "fail"}
        gated = {said["experiment_id"] for said in upworthy["decisions"] if said["action"] == "fix_data"}
        assert gated == failed

    def test_every_split_and_difference_as_computed_apart(self, upworthy: dict, per_test: dict) -> None:
        splits = [check for check in upworthy["validity"] if check["check"] == "srm"]
        assert len(splits) == len(per_test)
        for check in splits:
            expected = float(per_test[check["experiment_id"]]["srm_p"])
            assert check["p_value"] == pytest.approx(expected, rel=1e-6, abs=1e-300)
        few = []
        for found in upworthy["differences"]:
            line = per_test[found["experiment_id"]]
            if found["p_value"] is None:
                assert found["reason"] == "insufficient_sample"
                few.append(int(line["clicks"]) / int(line["arms"]))
            else:
                assert found["p_value"] == pytest.approx(float(line["heterogeneity_p"]), rel=1e-6)
        # Without a click, or with about one an arm, of whom one arm is to have less than one.
        assert len(few) <= 5
        assert max(few) < 4

    def test_differences_before_and_after_the_false_discovery_rate(self, upworthy: dict) -> None:
        known = [found for found in upworthy["differences"] if found["p_value"] is not None]
        assert sum(found["p_value"] < 0.05 for found in known) == 2203
        assert sum(found["p_adjusted"] <= 0.05 for found in known) == 1711


def test_every_format_gives_the_same_rows(cookie_cats: dict, data_dir: Path, tmp_path: Path) -> None:
    source = (data_dir / "cookie_cats" / "cookie_cats.csv").read_bytes()
    with gzip.open(tmp_path / "cookie_cats.csv.gz", "wb") as packed:
        packed.write(source)
    (tmp_path / "cookie_cats.tsv").write_bytes(source.replace(b",", b"\t"))
    with duckdb.connect(str(tmp_path / "cookie_cats.duckdb")) as connection:
        connection.execute(f"create table players as from read_csv('{data_dir}/cookie_cats/cookie_cats.csv')")
        connection.execute("create table other as select 1 as x")
        connection.execute(f"copy players to '{tmp_path}/cookie_cats.parquet'")
        connection.execute(f"copy players to '{tmp_path}/cookie_cats.ndjson' (format json)")
        connection.execute(f"copy players to '{tmp_path}/cookie_cats.json' (format json, array true)")
    expected = [
        (r["variant_id"], r["total"]) for r in cookie_cats["comparisons"] if r["metric"] == "retention_7"
    ]
    for ending in ("csv.gz", "tsv", "parquet", "ndjson", "json", "duckdb"):
        table = ("--table", "players") if ending == "duckdb" else ()
        found = analyze(tmp_path / f"cookie_cats.{ending}", "--metric", "retention_7", *table)
        assert [(r["variant_id"], r["total"]) for r in found["comparisons"]] == expected, ending


def test_events_of_a_unit_count_once(data_dir: Path, reference: dict) -> None:
    options = ("--by", "event", "--unit", "user_id", "--variant", "group", "--metric", "converted:z")
    found = analyze(data_dir / "udacity_ab_data" / "ab_data.csv.gz", *options)
    assert sum(r["n"] for r in found["comparisons"]) == reference["udacity_ab_data"]["users"]
    (crossed,) = (check for check in found["validity"] if check["check"] == "crossovers")
    assert crossed["sentence"].startswith(
        f"{reference['udacity_ab_data']['users_in_both_groups']:,} of 290,584 units"
    )


class TestWithoutAnOption:
    """What a person would see in the file, the command sees too: arm, unit, control, metrics."""

    def test_cookie_cats(self, data_dir: Path, reference: dict) -> None:
        found = analyze(data_dir / "cookie_cats" / "cookie_cats.csv")
        assert [r["metric"] for r in found["comparisons"] if r["comparison"]] == [
            "retention_1",
            "retention_7",
            "sum_gamerounds",
        ]
        expected = reference["cookie_cats"]
        check_mean(found, expected["sum_gamerounds_welch"], "sum_gamerounds", "gate_40", "gate_30")
        for metric in ("retention_1", "retention_7"):
            assert row(found, metric, "gate_40")["lift_abs"] == pytest.approx(expected[metric]["diff"])
            assert row(found, metric, "gate_30")["total"] == expected[metric]["x_ctrl"]

    def test_hillstrom(self, data_dir: Path, reference: dict) -> None:
        found = analyze(data_dir / "hillstrom" / "hillstrom.csv")
        primary = {r["metric"] for r in found["comparisons"] if r["role"] == "primary"}
        assert primary == {"visit"}
        for arm in ("Mens E-Mail", "Womens E-Mail"):
            expected = reference["hillstrom"][arm]
            check_mean(found, expected["spend"], "spend", arm, "No E-Mail")
            assert row(found, "visit", arm)["lift_abs"] == pytest.approx(expected["visit"]["diff"])

    def test_users_that_repeat_are_asked_about(self, data_dir: Path) -> None:
        path = str(data_dir / "udacity_ab_data" / "ab_data.csv.gz")
        done = CliRunner().invoke(app, ["analyze", path])
        assert done.exit_code == 1
        assert "--by event --unit user_id" in str(done.exception)


@pytest.mark.parametrize("choice", ["include", "exclude"])
def test_users_in_both_groups_stay_or_are_left_out(data_dir: Path, reference: dict, choice: str) -> None:
    options = ("--by", "event", "--unit", "user_id", "--metric", "converted", "--crossovers", choice)
    found = analyze(data_dir / "udacity_ab_data" / "ab_data.csv.gz", *options)
    known = reference["udacity_ab_data"]
    out = known["users_in_both_groups"] if choice == "exclude" else 0
    assert sum(r["n"] for r in found["comparisons"]) == known["users"] - out
