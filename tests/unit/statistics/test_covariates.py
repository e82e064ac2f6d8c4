"""CUPED and post-stratification against ordinary least squares and hand-made weights."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from fairsplit.analysis.statistics.covariates import (
    cuped,
    post_stratified,
    unadjusted,
    with_missing,
    within_arm_slope,
    within_group_slope,
)
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.ratios import linearised
from fairsplit.analysis.statistics.status import names


def world(seed: int, n_c: int = 40, n_t: int = 55, p: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    arms = []
    for n, lift in ((n_c, 0.0), (n_t, 0.4)):
        x = rng.normal(5, 2, (n, p))
        y = lift + x @ np.linspace(1.0, 0.5, p) + rng.normal(0, 1, n)
        arms.append(np.column_stack([y, x]))
    return arms[0], arms[1]


@pytest.mark.parametrize("p", [1, 3])
def test_effect_and_slopes_equal_analysis_of_covariance(p: int) -> None:
    c, t = world(1, p=p)
    r = cuped(JointMoments.from_values(c), JointMoments.from_values(t))
    both = np.concatenate([c, t])
    treated = np.repeat([0.0, 1.0], [len(c), len(t)])
    fit = sm.OLS(both[:, 0], np.column_stack([np.ones(len(both)), treated, both[:, 1:]])).fit()
    assert float(r.comparison.diff) == pytest.approx(fit.params[1], rel=1e-10)
    np.testing.assert_allclose(r.theta, fit.params[2:], rtol=1e-9)


def test_standard_error_equals_ordinary_least_squares_where_arms_are_alike() -> None:
    # Residual variances forced equal: the same residuals in both arms.
    rng = np.random.default_rng(2)
    x, e = rng.normal(0, 1, 20), rng.normal(0, 1, 20)
    c, t = np.column_stack([2 * x + e, x]), np.column_stack([2 * x + e + 1, x + 0.3])
    r = cuped(JointMoments.from_values(c), JointMoments.from_values(t))
    both = np.concatenate([c, t])
    design = np.column_stack([np.ones(40), np.repeat([0.0, 1.0], 20), both[:, 1]])
    fit = sm.OLS(both[:, 0], design).fit()
    assert float(r.comparison.se) == pytest.approx(fit.bse[1], rel=1e-10)
    assert float(r.comparison.df) == pytest.approx(fit.df_resid, rel=1e-10)
    assert float(r.comparison.p_value) == pytest.approx(fit.pvalues[1], rel=1e-9)


def test_lift_is_relative_to_the_unadjusted_control_and_agrees_with_the_test() -> None:
    c, t = world(3)
    for alpha in (0.001, 0.05, 0.5):
        r = cuped(JointMoments.from_values(c), JointMoments.from_values(t), alpha).comparison
        assert float(r.rel.value) == pytest.approx(float(r.diff) / c[:, 0].mean())
        assert (float(r.rel.low) > 0 or float(r.rel.high) < 0) == (float(r.p_value) < alpha)


def test_extra_sample_is_what_the_reduction_buys() -> None:
    c, t = world(4, 4000, 4000)
    joint = JointMoments.from_values(c), JointMoments.from_values(t)
    r = cuped(*joint)
    # y = x + e with var x = 4, var e = 1: four fifths of the variance is explained.
    assert float(r.variance_reduction) == pytest.approx(0.8, abs=0.02)
    assert float(r.equivalent_extra_sample) == pytest.approx(4.0, abs=0.5)
    assert float(unadjusted(*joint).se) > 2 * float(r.comparison.se)


def test_a_constant_covariate_adjusts_nothing_and_says_so() -> None:
    c, t = world(5)
    c[:, 1] = t[:, 1] = 7.0
    joint = JointMoments.from_values(c), JointMoments.from_values(t)
    r = cuped(*joint)
    assert names(r.covariate_status) == "constant_covariate"
    assert float(r.comparison.p_value) == pytest.approx(float(unadjusted(*joint).p_value), rel=1e-12)
    assert float(r.variance_reduction) == pytest.approx(0.0, abs=1e-12)


def test_a_repeated_covariate_changes_nothing() -> None:
    c, t = world(6, p=2)
    plain = cuped(JointMoments.from_values(c), JointMoments.from_values(t)).comparison
    c2, t2 = (np.column_stack([a, 3 * a[:, 1] - a[:, 2]]) for a in (c, t))
    doubled = cuped(JointMoments.from_values(c2), JointMoments.from_values(t2)).comparison
    assert float(doubled.diff) == pytest.approx(float(plain.diff), rel=1e-8)
    assert float(doubled.se) == pytest.approx(float(plain.se), rel=1e-8)


def test_missing_history_by_indicator_equals_least_squares_with_the_indicator() -> None:
    c, t = world(7)
    gone_c, gone_t = np.arange(len(c)) % 4 == 0, np.arange(len(t)) % 3 == 0
    arms = []
    for arm, gone in ((c, gone_c), (t, gone_t)):
        observed = JointMoments.from_values(arm[~gone])
        arms.append(with_missing(observed, Moments.from_values(arm[gone, 0])))
    r = cuped(arms[0], arms[1])
    both, gone = np.concatenate([c, t]), np.concatenate([gone_c, gone_t])
    treated = np.repeat([0.0, 1.0], [len(c), len(t)])
    design = np.column_stack([np.ones(len(both)), treated, np.where(gone, 0, both[:, 1]), gone])
    fit = sm.OLS(both[:, 0], design).fit()
    assert float(r.comparison.diff) == pytest.approx(fit.params[1], rel=1e-9)


def test_one_slope_over_all_arms_of_the_experiment() -> None:
    rng = np.random.default_rng(8)
    arms = JointMoments.from_values(rng.normal(0, 1, (5, 30, 2)))
    slope = within_group_slope(arms, np.array([0, 0, 0, 1, 1]), 2)
    three = within_arm_slope(*(arms.take(i) for i in range(3)))
    np.testing.assert_allclose(slope.theta[0], three.theta, rtol=1e-12)
    r = cuped(arms.take(0), arms.take(1), slope=three)
    np.testing.assert_allclose(r.theta, three.theta)


def test_ratio_with_covariates_keeps_the_ratio_and_shrinks_its_error() -> None:
    rng = np.random.default_rng(9)
    taste, d, w = rng.beta(2, 5, 3000), rng.poisson(6, 3000) + 1.0, rng.poisson(6, 3000) + 1.0
    y, x = rng.binomial(d.astype(int), taste), rng.binomial(w.astype(int), taste)
    joint = JointMoments.from_values(np.column_stack([y, d, x, w]).reshape(2, 1500, 4))
    c, t = linearised(joint.take(0)), linearised(joint.take(1))
    r = cuped(c, t)
    assert float(r.comparison.control) == pytest.approx(y[:1500].sum() / d[:1500].sum())
    assert float(r.variance_reduction) > 0.2


def test_a_ratio_without_denominators_is_no_comparison_and_harms_no_other() -> None:
    rng = np.random.default_rng(11)
    values = rng.poisson(4, (2, 20, 4)).astype(float)
    values[0, :, 1] = 0.0
    c = linearised(JointMoments.from_values(values))
    t = linearised(JointMoments.from_values(rng.poisson(4, (2, 25, 4)).astype(float) + 1))
    r = cuped(c, t)
    assert names(r.comparison.status).tolist() == ["zero_denominator", "ok"]
    for numbers in (r.comparison.p_value, r.comparison.rel.low, r.variance_reduction):
        assert np.isnan(numbers).tolist() == [True, False]


def test_post_stratification_equals_weights_by_hand() -> None:
    c = Moments.from_summary([50, 30], [1.0, 4.0], [1.0, 2.0])
    t = Moments.from_summary([40, 60], [1.5, 4.2], [1.2, 1.9])
    r = post_stratified(c, t)
    share = np.array([90, 90]) / 180
    effects = np.array([0.5, 0.2])
    estimate = float(share @ effects)
    within = share**2 @ (np.array([1.0, 4.0]) / [50, 30] + np.array([1.44, 3.61]) / [40, 60])
    multinomial = (share @ effects**2 - estimate**2) / 180
    assert float(r.diff) == pytest.approx(estimate)
    assert float(r.se) == pytest.approx(np.sqrt(within + multinomial))
    empty = post_stratified(
        Moments.from_summary([50, 0], [1.0, 0.0], [1.0, 0.0]),
        Moments.from_summary([40, 0], [1.5, 0], [1.2, 0]),
    )
    assert float(empty.diff) == pytest.approx(0.5)
    thin = post_stratified(
        Moments.from_summary([50, 1], [1.0, 0.0], [1.0, 0.0]),
        Moments.from_summary([40, 5], [1.5, 0], [1.2, 1]),
    )
    assert names(thin.status) == "insufficient_sample"


def test_post_stratification_equals_growthbooks_published_test_data() -> None:
    # growthbook packages/stats/tests/frequentist/test_post_strat.py: count strata, absolute estimate and error.
    c = Moments.from_sums(
        [21, 65, 102, 151, 160],
        [330.0696210595999, 1391.96628040659, 2916.824124651419, 5172.587929941052, 6539.348445231273],
        [5377.811252605509, 30546.63404187155, 86396.06886690554, 182453.04528037464, 274981.98909352464],
    )
    t = Moments.from_sums(
        [42, 75, 101, 121, 162],
        [708.1220000911836, 1807.4703052657744, 3104.5399914554023, 4613.696610070716, 7431.953259880505],
        [12249.255519049513, 45000.287664918586, 98365.40553530994, 180520.64781229294, 349244.6690736718],
    )
    r = post_stratified(c, t)
    assert float(r.diff) == pytest.approx(3.548094377986586, rel=1e-12)
    assert float(r.se) == pytest.approx(0.37634374823059685, rel=1e-12)
