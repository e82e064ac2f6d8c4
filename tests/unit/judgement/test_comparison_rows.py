from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from fairsplit.analysis.judgement import violations
from fairsplit.analysis.scorecards import wording


def only(frame: pl.DataFrame, variant: str = "red", **wanted) -> dict:
    for name, value in {"segment": "all", **wanted}.items():
        frame = frame.filter(pl.col(name) == value)
    rows = frame.filter(pl.col("variant_id") == variant).to_dicts()
    assert len(rows) == 1
    return rows[0]


def test_means_are_scipys_welch_test(world, rng):
    world.define()
    control = rng.lognormal(1, 1, 400).round(6)
    red = rng.lognormal(1.1, 1, 300).round(6)
    for variant, values in (("control", control), ("red", red)):
        world.values(variant, np.round(values * 1e6))
    row = only(world.judge().comparisons)
    expected = stats.ttest_ind(red, control, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert row["method"] == "welch"
    assert row["statistic"] == pytest.approx(expected.statistic, rel=1e-9)
    assert row["df"] == pytest.approx(expected.df, rel=1e-9)
    assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert row["lift_abs_low"] == pytest.approx(interval.low, rel=1e-9)
    assert row["lift_abs_high"] == pytest.approx(interval.high, rel=1e-9)
    assert row["lift_rel"] == pytest.approx(red.mean() / control.mean() - 1, rel=1e-9)
    assert row["mean"] == pytest.approx(red.mean(), rel=1e-12)
    assert row["variance"] == pytest.approx(red.var(ddof=1), rel=1e-9)
    assert row["std_error"] == pytest.approx(stats.sem(red), rel=1e-9)
    assert row["total"] == pytest.approx(red.sum(), rel=1e-12)
    pooled = np.sqrt(row["lift_std_error"] ** 2 / (1 / 300 + 1 / 400))
    assert row["effect_size"] == pytest.approx((red.mean() - control.mean()) / pooled, rel=1e-9)
    assert row["prob_beat"] == pytest.approx(
        stats.norm.cdf(row["lift_abs"] / row["lift_std_error"]), rel=1e-9
    )


def test_the_relative_interval_is_fiellers_and_agrees_with_the_test(world, rng):
    world.define()
    control, red = rng.normal(10, 4, 200).round(3), rng.normal(11, 4, 200).round(3)
    for variant, values in (("control", control), ("red", red)):
        world.values(variant, np.round(values * 1e6))
    row = only(world.judge().comparisons)
    # Fieller's roots written out: (t̄ - (1 + r) c̄)² = q² (v_t + (1 + r)² v_c).
    v_c, v_t = control.var(ddof=1) / 200, red.var(ddof=1) / 200
    q = stats.t.isf(0.025, row["df"])
    a, b, c = control.mean() ** 2 - q**2 * v_c, control.mean() * red.mean(), red.mean() ** 2 - q**2 * v_t
    root = np.sqrt(b**2 - a * c)
    assert row["lift_rel_low"] == pytest.approx((b - root) / a - 1, rel=1e-9)
    assert row["lift_rel_high"] == pytest.approx((b + root) / a - 1, rel=1e-9)
    assert (row["lift_rel_low"] > 0) == (row["p_value"] < 0.05)


def test_the_covariate_adjusts_as_a_regression_with_a_common_slope(world, rng):
    world.define()
    n = 4_000
    arms = ("control", "red")
    before = {arm: rng.gamma(2, 5, n).round(3) for arm in arms}
    after = {arm: (0.8 * before[arm] + rng.normal(0.5 * (arm == "red"), 3, n)).round(3) for arm in arms}
    for arm in arms:
        world.values(arm, np.round(after[arm] * 1e6), x=np.round(before[arm] * 1e6))
    row = only(world.judge().comparisons)
    y = np.concatenate([after["control"], after["red"]])
    x = np.column_stack([np.repeat([0.0, 1.0], n), np.concatenate([before["control"], before["red"]])])
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    assert (row["method"], row["cuped"]) == ("cuped", True)
    assert row["lift_abs"] == pytest.approx(fit.params[1], rel=1e-9)
    assert row["lift_std_error"] == pytest.approx(fit.bse[1], rel=0.01)
    plain = stats.ttest_ind(after["red"], after["control"], equal_var=False)
    assert row["variance_reduction"] == pytest.approx(
        1
        - (
            row["lift_std_error"]
            / (plain.confidence_interval().high - plain.confidence_interval().low)
            * 2
            * stats.t.isf(0.025, plain.df)
        )
        ** 2,
        rel=1e-6,
    )


def test_missing_history_leaves_the_unadjusted_result_with_its_status(world, rng):
    world.define()
    for arm in ("control", "red"):
        values = rng.integers(0, 50, 100)
        world.values(arm, values, x=values)
        world.statistics[-1]["covariate_status"] = "covariate_history_incomplete"
    row = only(world.judge().comparisons)
    assert (row["cuped"], row["method"], row["status"]) == (False, "welch", "ok")
    assert row["covariate_status"] == "covariate_history_incomplete"


def test_ratios_use_the_delta_method(world, rng):
    world.define(metrics="{primary: [ctr]}")
    data = {}
    for arm, rate in (("control", 0.2), ("red", 0.25)):
        views = rng.poisson(6, 500) + 1
        data[arm] = (rng.binomial(views, rate), views)
        world.values(arm, data[arm][0], d=views, metric="ctr")
    row = only(world.judge().comparisons)

    def ratio(clicks, views):
        r = clicks.sum() / views.sum()
        return r, np.var(clicks - r * views, ddof=1) / len(views) / views.mean() ** 2

    (r_c, v_c), (r_t, v_t) = ratio(*data["control"]), ratio(*data["red"])
    assert row["method"] == "ratio_delta"
    assert row["mean"] == pytest.approx(r_t, rel=1e-12)
    assert row["lift_abs"] == pytest.approx(r_t - r_c, rel=1e-9)
    assert row["lift_std_error"] == pytest.approx(np.sqrt(v_c + v_t), rel=1e-9)


def test_a_ratio_of_nothing_is_a_status(world):
    world.define(metrics="{primary: [ctr]}")
    world.values("control", [1, 0, 1], d=[2, 1, 1], metric="ctr")
    world.values("red", [0, 0, 0], d=[0, 0, 0], metric="ctr")
    row = only(world.judge().comparisons)
    assert (row["status"], row["reason"], row["p_value"], row["mean"]) == (
        "undefined",
        "zero_denominator",
        None,
        None,
    )


def test_digits_survive_where_floats_would_lose_them(world):
    world.define()
    base = 10**15
    control, red = [base + i for i in (0, 1, 2, 3)], [base + i for i in (2, 3, 4, 5)]
    world.values("control", control)
    world.values("red", red)
    row = only(world.judge().comparisons)
    mean = Fraction(sum(red), 4)
    variance = sum((v - mean) ** 2 for v in red) / 3 / Fraction(10**12)
    assert row["variance"] == pytest.approx(float(variance), rel=1e-12)


@pytest.mark.parametrize(
    ("control", "red", "status", "reason"),
    [
        ([1, 2, 3], [], "no_data", "no_exposure"),
        ([], [1, 2, 3], "no_data", "no_exposure"),
        ([1], [1, 2, 3], "not_enough_data", "insufficient_sample"),
        ([2, 2, 2], [3, 3, 3], "undefined", "zero_variance"),
    ],
)
def test_what_cannot_be_computed_is_a_status_and_never_a_number(world, control, red, status, reason):
    world.define()
    world.values("control", control)
    world.values("red", red)
    row = only(world.judge().comparisons)
    assert (row["status"], row["reason"]) == (status, reason)
    assert {row[name] for name in ("p_value", "p_adjusted", "lift_abs", "lift_rel_low", "prob_beat")} == {
        None
    }


def test_open_windows_say_that_they_are_awaited(world):
    world.define()
    world.values("control", [], n_open=5)
    world.values("red", [], n_open=4)
    row = only(world.judge().comparisons)
    assert (row["status"], row["reason"], row["n_open"]) == ("waiting", "no_closed_window", 4)


def test_a_baseline_of_zero_has_an_absolute_lift_only(world, rng):
    world.define(metrics="{primary: [errors]}")
    world.values("control", [-1, 1] * 50, metric="errors")
    world.values("red", rng.poisson(2, 100), metric="errors")
    row = only(world.judge().comparisons)
    assert row["status"] == "ok"
    assert row["lift_abs"] is not None
    assert (row["lift_rel"], row["lift_rel_low"], row["lift_rel_bounded"]) == (None, None, False)


def test_primary_metrics_and_arms_share_the_declared_correction(world, rng):
    world.define(
        type="abn",
        variants="[{id: control, control: true}, {id: red}, {id: blue}]",
        metrics="{primary: [revenue, conversion], secondary: [errors]}",
    )
    for arm, shift in (("control", 0.0), ("red", 0.3), ("blue", 0.1)):
        world.values(arm, np.round(rng.normal(5 + shift, 2, 500) * 1e6))
        world.values(arm, rng.random(500) < 0.3 + shift / 4, metric="conversion")
        world.values(arm, rng.poisson(3 + shift, 500), metric="errors")
    rows = world.judge().comparisons.filter(pl.col("comparison").is_not_null())
    primary = rows.filter(pl.col("role") == "primary")
    holm = multipletests(primary["p_value"].to_numpy(), method="holm")[1]
    assert primary["p_adjusted"].to_list() == pytest.approx(holm.tolist(), rel=1e-9)
    secondary = rows.filter(pl.col("role") == "secondary")
    bh = multipletests(secondary["p_value"].to_numpy(), method="fdr_bh")[1]
    assert secondary["p_adjusted"].to_list() == pytest.approx(bh.tolist(), rel=1e-9)
    for row in primary.to_dicts():
        excludes = row["lift_abs_low"] > 0 or row["lift_abs_high"] < 0
        assert excludes == (row["p_adjusted"] <= 0.05)


def test_an_anytime_plan_has_the_smallest_p_value_so_far(world, rng):
    world.define(plan="{method: always_valid}")
    for size, day in ((200, date(2026, 1, 14)), (400, date(2026, 1, 15)), (800, date(2026, 1, 16))):
        world.values("control", np.round(rng.normal(5, 2, size) * 1e6), cut_off=day)
        shift = 1.0 if size == 400 else 0.1
        world.values("red", np.round(rng.normal(5 + shift, 2, size) * 1e6), cut_off=day)
    rows = world.judge(date(2026, 1, 16)).comparisons.filter(pl.col("variant_id") == "red")
    p_values = rows["seq_p_value"].to_list()
    assert p_values[1] < p_values[0]
    assert p_values[2] == p_values[1]
    assert rows["seq_crossed"].to_list() == [False, True, True]


def test_group_sequential_bounds_spend_the_error_over_the_looks(world, rng):
    # Information by time: 14 planned days. Bounds of the O'Brien-Fleming-type spending function at
    # fractions 0.5 and 1: 2.963, 1.969 (Lan & DeMets 1983; gsDesign's vignette).
    world.define(plan="{method: group_sequential, looks: 2}")
    for day, size in ((date(2026, 1, 11), 500), (date(2026, 1, 18), 1_000)):
        for arm in ("control", "red"):
            world.values(arm, np.round(rng.normal(5, 2, size) * 1e6), cut_off=day)
    rows = world.judge(date(2026, 1, 18)).comparisons.filter(pl.col("variant_id") == "red")
    assert rows["information_fraction"].to_list() == [0.5, 1.0]
    assert rows["seq_bound"].to_list() == pytest.approx([2.963, 1.969], abs=5e-4)


def test_the_crossovers_excluded_analysis_stands_beside_the_default(world):
    world.define()
    for analysis, shift in (("default", 0), ("crossovers_excluded", 1)):
        world.values("control", [1, 2, 3, 4], analysis=analysis)
        world.values("red", [2 + shift, 3, 4, 5], analysis=analysis)
    rows = world.judge().comparisons.filter(pl.col("variant_id") == "red")
    assert rows["analysis"].to_list() == ["crossovers_excluded", "default"]
    assert rows["n"].to_list() == [4, 4]


def test_a_cap_at_the_value_of_nearly_all_units_says_nothing(world):
    """Case cap-falls-to-zero: 6 buyers in 1,200, so the pooled 99th percentile is 0 and every capped value too."""
    world.define()
    for variant in ("control", "red"):
        world.values(variant, np.zeros(600))
        world.statistics[-1] |= {"cap_low": 0, "cap_high": 0}
    found = world.judge()
    assert violations(found.comparisons, found.validity, found.decisions).is_empty()
    rows = found.comparisons
    assert rows["reason"].to_list() == ["capped_to_one_value"] * 2
    assert rows["status"].to_list() == ["undefined"] * 2
    assert rows["p_value"].null_count() == 2
    assert wording.REASONS["capped_to_one_value"].startswith(
        "the cap is the value that nearly every unit has"
    )


def test_caps_apart_keep_a_metric_without_variance_what_it_is(world):
    world.define()
    for variant in ("control", "red"):
        world.values(variant, np.full(600, 2_000_000))
        world.statistics[-1] |= {"cap_low": 0, "cap_high": 5_000_000}
    rows = world.judge().comparisons
    assert rows.filter(variant_id="red")["reason"].to_list() == ["zero_variance"]


def test_few_events_in_unequal_arms_are_counted_even_with_a_covariate(world, rng):
    """Case rare-events-unequal-split under CUPED: Fisher's p, and the row says that the covariate was not used."""
    world.define(metrics="{primary: [conversion]}")
    for variant, events, units in (("control", 2, 9_000), ("red", 5, 1_000)):
        y = np.repeat([0, 1], [units - events, events])
        world.values(variant, y, x=y + rng.poisson(1, units), metric="conversion")
    row = only(world.judge().comparisons)
    assert (row["method"], row["cuped"], row["covariate_status"]) == ("fisher", False, "few_events")
    expected = stats.fisher_exact([[5, 995], [2, 8_998]]).pvalue
    assert row["p_value"] == pytest.approx(expected, rel=1e-9)


def test_enough_events_in_unequal_arms_keep_their_covariate(world, rng):
    world.define(metrics="{primary: [conversion]}")
    for variant, units in (("control", 9_000), ("red", 4_000)):
        y = rng.random(units) < 0.3
        world.values(variant, y, x=y + rng.poisson(1, units), metric="conversion")
    row = only(world.judge().comparisons)
    assert (row["method"], row["cuped"], row["covariate_status"]) == ("cuped", True, "ok")
