"""What a flat file's analysis says, against NumPy, SciPy, least squares and plain recomputation."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest

from fairsplit.analysis.flat_files import Request, analyse
from fairsplit.analysis.flat_files.request import parse_metric
from fairsplit.analysis.flat_files.values import scale_of, scaled
from fairsplit.analysis.judgement import violations

DAY = date(2026, 1, 5)


def ask(frame: pl.DataFrame, *metrics: str, **options):
    found = analyse(frame, Request("shop", DAY, variant="arm", metrics=metrics, **options))
    judged = found.judgement
    assert violations(judged.comparisons, judged.validity, judged.decisions).is_empty()
    return found


def one(found, **wanted) -> dict:
    conditions = [pl.col(name) == value for name, value in ({"segment": "all"} | wanted).items()]
    return found.judgement.comparisons.filter(*conditions).row(0, named=True)


@pytest.fixture
def shop() -> pl.DataFrame:
    rng = np.random.default_rng(11)
    size = 3000
    before, visits = rng.gamma(2.0, 30.0, size), rng.poisson(4.0, size) + 1
    arm = rng.choice(["off", "red", "blue"], size)
    return pl.DataFrame(
        {
            "id": np.arange(size),
            "arm": arm,
            "before": before,
            "visits": visits,
            "spend": before + 5 * visits + rng.normal(0, 10, size) + 4 * (arm == "red"),
            "bought": rng.random(size) < 0.2 + 0.1 * (arm == "blue"),
            "clicks": rng.binomial(visits, 0.3),
            "country": [("DE", "FR", None)[i] for i in rng.integers(0, 3, size)],
        }
    )


class TestOneRowAUnit:
    def test_mean_is_welch_on_any_floats(self, shop: pl.DataFrame) -> None:
        found = ask(shop, "spend:mean")
        by_arm = {name: part["spend"].to_numpy() for (name,), part in shop.group_by("arm")}
        for arm in ("red", "blue"):
            expected = stats.ttest_ind(by_arm[arm], by_arm["off"], equal_var=False)
            row = one(found, variant_id=arm)
            assert row["statistic"] == pytest.approx(expected.statistic, rel=1e-9)
            assert row["df"] == pytest.approx(expected.df, rel=1e-9)
            assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-7)
        assert one(found, variant_id="off")["variance"] == pytest.approx(by_arm["off"].var(ddof=1), rel=1e-9)

    def test_the_pooled_z_test_is_the_textbook_one(self, shop: pl.DataFrame) -> None:
        row = one(ask(shop, "bought:z"), variant_id="blue")
        parts = [shop.filter(pl.col("arm") == arm)["bought"] for arm in ("blue", "off")]
        expected = proportions_ztest([part.sum() for part in parts], [part.len() for part in parts])
        assert row["method"] == "two_proportion_z"
        assert (row["statistic"], row["p_value"]) == pytest.approx(expected, rel=1e-9)

    def test_any_difference_is_one_test_over_all_arms(self, shop: pl.DataFrame) -> None:
        differences = ask(shop, "bought", "spend").differences
        parts = [part["spend"].to_numpy() for _, part in shop.group_by("arm")]
        table = [(part["bought"].sum(), (~part["bought"]).sum()) for _, part in shop.group_by("arm")]
        chi = stats.chi2_contingency(table, correction=False)
        p = dict(differences.select("metric", "p_value").iter_rows())
        assert p["bought"] == pytest.approx(chi.pvalue, rel=1e-9)
        welch = sm.stats.anova_oneway(parts, use_var="unequal")
        assert p["spend"] == pytest.approx(welch.pvalue, rel=1e-7)

    def test_segments_are_the_same_analysis_of_a_part(self, shop: pl.DataFrame) -> None:
        found = ask(shop, "spend", segments=("country",))
        part = ask(shop.filter(pl.col("country") == "DE"), "spend")
        level = one(found, segment="country", segment_level="DE", variant_id="red")
        whole = one(part, variant_id="red")
        assert level["n"] == whole["n"]
        assert level["p_value"] == pytest.approx(whole["p_value"], rel=1e-9)
        levels = found.judgement.comparisons.filter(pl.col("segment") == "country")["segment_level"].unique()
        assert set(levels) == {"DE", "FR", "unknown"}

    def test_an_arm_without_units_in_a_level_has_a_reason(self) -> None:
        frame = pl.DataFrame(
            {"arm": ["a", "a", "a", "b", "b"], "y": [1, 2, 4, 2, 3], "at": ["x", "x", "z", "x", "x"]}
        )
        row = one(ask(frame, "y", segments=("at",)), segment="at", segment_level="z", variant_id="b")
        assert (row["n"], row["status"], row["reason"], row["p_value"]) == (0, "no_data", "no_exposure", None)

    def test_ratio_is_the_delta_method(self, shop: pl.DataFrame) -> None:
        row = one(ask(shop, "clicks/visits"), variant_id="red")
        variances, ratios = [], []
        for arm in ("off", "red"):
            part = shop.filter(pl.col("arm") == arm)
            y, d = part["clicks"].to_numpy(), part["visits"].to_numpy()
            ratios.append(y.sum() / d.sum())
            variances.append(((y - ratios[-1] * d) / d.mean()).var(ddof=1) / part.height)
        assert row["lift_abs"] == pytest.approx(ratios[1] - ratios[0], rel=1e-9)
        assert row["lift_std_error"] == pytest.approx(np.sqrt(sum(variances)), rel=1e-6)

    def test_two_covariates_are_used_like_a_regression(self, shop: pl.DataFrame) -> None:
        two = shop.filter(pl.col("arm") != "blue")
        row = one(ask(two, "spend", covariates=("before", "visits")), variant_id="red")
        x = np.column_stack([np.ones(two.height), two["arm"] == "red", two["before"], two["visits"]])
        fit = sm.OLS(two["spend"].to_numpy(), x).fit()
        assert row["cuped"]
        assert row["lift_abs"] == pytest.approx(fit.params[1], abs=0.01 * fit.bse[1])
        assert row["lift_std_error"] == pytest.approx(fit.bse[1], rel=0.01)

    def test_the_pre_period_is_told_by_its_covariates(self, shop: pl.DataFrame) -> None:
        for covariates, start in (
            (("before",), "before before exposure: "),
            (("before", "visits"), "before and visits, as they foretell spend, before exposure: "),
        ):
            checks = ask(shop, "spend", covariates=covariates).judgement.validity
            (sentence,) = checks.filter(pl.col("check") == "pre_period:spend")["sentence"]
            assert sentence.startswith(start)

    def test_one_column_may_be_two_metrics(self, shop: pl.DataFrame) -> None:
        found = ask(shop, "spend", "spend:mann_whitney", "spend:median", "spend:p90:decrease")
        assert list(found.metrics) == ["spend", "spend:mann_whitney", "spend:p50", "spend:p90"]
        by_arm = {name: part["spend"].to_numpy() for (name,), part in shop.group_by("arm")}
        expected = stats.mannwhitneyu(by_arm["red"], by_arm["off"], use_continuity=False, method="asymptotic")
        assert one(found, metric="spend:mann_whitney", variant_id="red")["p_value"] == pytest.approx(
            expected.pvalue, rel=1e-2
        )
        assert one(found, metric="spend:p90", variant_id="red")["direction"] == "decrease"

    def test_declared_ratio(self, shop: pl.DataFrame) -> None:
        equal = ask(shop, "spend").judgement.validity.filter(pl.col("check") == "srm").row(0, named=True)
        uneven = ask(shop, "spend", ratio=(1, 1, 2)).judgement
        assert equal["status"] == "pass"
        assert uneven.validity.filter(pl.col("check") == "srm")["status"].to_list() == ["fail"]
        assert uneven.decisions["action"].to_list() == ["fix_data"]


class TestEvents:
    def test_units_are_added_up_and_conversions_count_once(self) -> None:
        rng = np.random.default_rng(3)
        size = 4000
        frame = pl.DataFrame(
            {
                "who": rng.integers(0, 900, size),
                "spend": rng.integers(0, 50, size),
                "bought": rng.random(size) < 0.1,
                "country": rng.choice(["DE", "FR"], size),
            }
        ).with_columns(arm=pl.when(pl.col("who") % 2 == 0).then(pl.lit("a")).otherwise(pl.lit("b")))
        found = ask(frame, "bought", "spend", unit="who", by="event", segments=("country",))
        total: dict[int, int] = {}
        bought: dict[int, bool] = {}
        first: dict[int, str] = {}
        for row in frame.iter_rows(named=True):
            total[row["who"]] = total.get(row["who"], 0) + row["spend"]
            bought[row["who"]] = bought.get(row["who"], False) or row["bought"]
            first.setdefault(row["who"], row["country"])
        even = [who for who in total if who % 2 == 0]
        assert one(found, metric="spend", variant_id="a")["total"] == sum(total[who] for who in even)
        assert one(found, metric="bought", variant_id="a")["total"] == sum(bought[who] for who in even)
        german = one(found, metric="bought", segment="country", segment_level="DE", variant_id="a")
        assert german["n"] == sum(first[who] == "DE" for who in even)

    def test_the_first_arm_counts_and_crossing_is_counted(self) -> None:
        rows = [("u1", "a", 1), ("u1", "b", 2), ("u2", "b", 3), ("u3", "a", 4), ("u4", "b", 5)]
        found = ask(
            pl.DataFrame(rows, schema=["u", "arm", "y"], orient="row"), "y:mean", unit="u", by="event"
        )
        assert (one(found, variant_id="a")["n"], one(found, variant_id="a")["total"]) == (2, 7.0)
        assert found.exposures.filter(pl.col("segment") == "all")["crossovers"].sum() == 1


class TestCountsPerArm:
    def test_equals_the_same_units_row_by_row(self) -> None:
        counts = pl.DataFrame({"arm": ["a", "b", "c"], "clicks": [120, 151, 90], "shown": [1000, 990, 1010]})
        units = pl.DataFrame(
            [(arm, int(i < clicks)) for arm, clicks, shown in counts.iter_rows() for i in range(shown)],
            schema=["arm", "click"],
            orient="row",
        )
        aggregated, expanded = ask(counts, "clicks/shown"), ask(units, "click")
        drop = ["metric", "unit", "definition_hash"]
        assert aggregated.judgement.comparisons.drop(drop).equals(expanded.judgement.comparisons.drop(drop))
        assert aggregated.judgement.validity.equals(expanded.judgement.validity)

    def test_many_experiments_are_apart_and_one_arm_alone_is_left_out(self) -> None:
        frame = pl.DataFrame(
            {
                "test": ["x", "x", "y", "y", "y", "lone"],
                "arm": ["a", "b", "a", "b", "c", "a"],
                "clicks": [10, 20, 30, 30, 31, 5],
                "shown": [100, 100, 300, 300, 300, 50],
            }
        )
        found = ask(frame, "clicks/shown", experiment="test")
        assert found.judgement.decisions["experiment_id"].to_list() == ["x", "y"]
        assert "1 experiments with one arm only were left out" in found.guesses
        assert one(found, experiment_id="y", variant_id="c")["comparison"] == "a"


class TestGuesses:
    def test_everything_is_guessed_and_said(self, shop: pl.DataFrame) -> None:
        found = analyse(shop.drop("country"), Request("shop", DAY))
        assert found.guesses == (
            "the arm is in column arm (override with --variant)",
            "the unit's id is in column id (override with --unit)",
            (
                "metrics are bought, visits, spend, clicks; the first one decides "
                "(override with --metric COLUMN:TYPE, repeatedly)"
            ),
            "no metrics are before (from before the exposure: --covariate) (override with --metric COLUMN:TYPE)",
            "bought is a proportion (override with --metric bought:TYPE)",
            "visits is a mean (override with --metric visits:TYPE)",
            "spend is a mean (override with --metric spend:TYPE)",
            "clicks is a mean (override with --metric clicks:TYPE)",
            "the control is off (override with --control)",
            "the arms were meant to be equally large (override with --ratio, in the order of the arms)",
        )

    def test_what_was_said_is_not_guessed(self, shop: pl.DataFrame) -> None:
        found = ask(shop, "spend:mean", unit="id", control="red", ratio=(1, 1, 1))
        assert found.guesses == ()
        assert one(found, variant_id="off")["comparison"] == "red"


def test_metric_names_may_hold_the_separators() -> None:
    columns = ["a:b", "c/d", "n", "m"]
    assert parse_metric("a:b", columns).column == "a:b"
    assert parse_metric("a:b:mean:decrease", columns).direction == "decrease"
    assert parse_metric("c/d", columns).denominator is None
    assert parse_metric("n/m", columns).denominator == "m"


def test_scales_are_exact() -> None:
    assert scale_of(pl.Series([1, 2]), pl.Series([0.5])) == 10
    assert scale_of(pl.Series([10**15]), pl.Series([0.5])) == 1
    assert scaled(pl.Series([0.1, 0.25, -29.99]), 100).to_list() == [10, 25, -2999]
    third = pl.Series([1 / 3])
    assert scaled(third, scale_of(third))[0] / scale_of(third) == pytest.approx(1 / 3, rel=1e-14)
