"""Fixed-horizon methods against SciPy, statsmodels and published numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import oneway as sm_oneway
from statsmodels.stats import proportion as sm_proportion
from statsmodels.stats import weightstats

from fairsplit.analysis.statistics.anova import oneway, welch_anova
from fairsplit.analysis.statistics.contingency import chi_square_fit, chi_square_independence
from fairsplit.analysis.statistics.effects import cohens_d, cohens_h, effect_label, noncentrality_interval
from fairsplit.analysis.statistics.means import fieller_of_means, welch
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.proportions import (
    compare_proportions,
    log_risk_ratio,
    score_test,
    two_proportion_z,
)
from fairsplit.analysis.statistics.ratios import linearised, ratio_delta, ratio_estimate
from fairsplit.analysis.statistics.status import names


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_welch_equals_scipy_for_many_comparisons_at_once(alternative: str) -> None:
    rng = np.random.default_rng(1)
    c, t = rng.gamma(2, 3, (40, 25)), rng.gamma(2, 3.3, (40, 60))
    r = welch(Moments.from_values(c), Moments.from_values(t), 0.1, alternative)  # type: ignore[arg-type]
    s = stats.ttest_ind(t, c, axis=1, equal_var=False, alternative=alternative)
    np.testing.assert_allclose(r.p_value, s.pvalue, rtol=1e-10)
    np.testing.assert_allclose(r.df, s.df, rtol=1e-12)
    interval = s.confidence_interval(0.9)
    np.testing.assert_allclose(r.ci_low, interval.low, rtol=1e-9)
    np.testing.assert_allclose(r.ci_high, interval.high, rtol=1e-9)


def test_welch_against_a_margin_equals_statsmodels() -> None:
    rng = np.random.default_rng(2)
    c, t = rng.normal(0, 1, 30), rng.normal(0.3, 2, 40)
    expected = weightstats.ttest_ind(t, c, alternative="larger", usevar="unequal", value=-0.5)
    r = welch(Moments.from_values(c), Moments.from_values(t), alternative="greater", null=-0.5)
    assert float(r.p_value) == pytest.approx(expected[1], rel=1e-12)


def test_uncomputable_comparisons_are_named_and_silent() -> None:
    n, sd = np.array([0, 1, 5, 5]), np.array([0.0, 0.0, 0.0, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        r = welch(Moments.from_summary(n, np.ones(4), sd), Moments.from_summary(n, np.full(4, 2.0), sd))
    assert names(r.status).tolist() == ["no_exposure", "insufficient_sample", "zero_variance", "ok"]
    assert np.isnan(r.p_value).tolist() == [True, True, True, False]
    assert np.isnan(r.rel.low).tolist() == [True, True, True, False]


def test_a_trillion_units_and_a_variance_of_one_at_a_billion() -> None:
    c = Moments.checked(1e12, 1e9, 1e12)
    t = Moments.checked(1e12, 1e9 + 1e-5, 1e12)
    r = welch(c, t)
    diff = (1e9 + 1e-5) - 1e9
    assert float(r.diff) == diff
    assert float(r.statistic) == pytest.approx(diff / np.sqrt(2e-12), rel=1e-9)
    assert float(r.rel.value) == pytest.approx(diff / 1e9, rel=1e-12)
    assert (float(r.rel.low) > 0) == (float(r.p_value) < 0.05)


def test_rates_of_one_in_ten_million() -> None:
    r = welch(Moments.from_binomial(100_000, 10**12), Moments.from_binomial(102_000, 10**12))
    p_c, p_t, n = 1e-7, 1.02e-7, 1e12
    expected = (p_t - p_c) / np.sqrt((p_t * (1 - p_t) + p_c * (1 - p_c)) / (n - 1))
    assert float(r.statistic) == pytest.approx(expected, rel=1e-9)
    assert float(r.p_value) == pytest.approx(2 * stats.norm.sf(expected), rel=1e-5)


def test_a_hopeless_null_still_has_a_log_p() -> None:
    r = welch(Moments.checked(1e6, 0.0, 1e6), Moments.checked(1e6, 1.0, 1e6))
    z = float(r.statistic)
    assert float(r.p_value) == 0.0
    # Leading term of the t density's logarithm, with df = 2 (10^6 - 1).
    df = 2e6 - 2
    assert float(r.log_p) == pytest.approx(-(df + 1) / 2 * np.log1p(z**2 / df), rel=1e-4)


# Newcombe (1998), Statistics in Medicine 17, 873, table II, method 9 (Miettinen-Nurminen).
@pytest.mark.parametrize(
    ("x_t", "n_t", "x_c", "n_c", "low", "high"),
    [
        (56, 70, 48, 80, 0.0528, 0.3382),
        (9, 10, 3, 10, 0.1700, 0.8406),
        (6, 7, 2, 7, 0.0342, 0.8534),
        (5, 56, 0, 29, -0.0326, 0.1933),
        (10, 10, 0, 20, 0.7156, 1.0),
    ],
)
def test_score_interval_equals_newcombes_table(
    x_t: int, n_t: int, x_c: int, n_c: int, low: float, high: float
) -> None:
    r = score_test(x_c, n_c, x_t, n_t)
    assert float(r.ci_low) == pytest.approx(low, abs=5.1e-5)
    assert float(r.ci_high) == pytest.approx(high, abs=5.1e-5)


@pytest.mark.parametrize(
    "counts", [(1, 50, 8, 52), (10, 100, 20, 100), (3, 10, 9, 11), (30, 10**6, 9, 10**6)]
)
def test_score_test_and_ratio_interval_equal_statsmodels(counts: tuple[int, int, int, int]) -> None:
    x_c, n_c, x_t, n_t = counts
    r = score_test(x_c, n_c, x_t, n_t)
    expected = sm_proportion.test_proportions_2indep(x_t, n_t, x_c, n_c, method="score", correction=True)
    assert float(r.p_value) == pytest.approx(expected.pvalue, rel=1e-9)
    low, high = sm_proportion.confint_proportions_2indep(
        x_t, n_t, x_c, n_c, method="score", compare="ratio", correction=True
    )
    assert float(r.rel.low) + 1 == pytest.approx(low, rel=1e-6)
    assert float(r.rel.high) + 1 == pytest.approx(high, rel=1e-6)


def test_score_intervals_of_tiny_rates_scale_with_the_rate() -> None:
    # At rates near zero only the counts matter, so the interval times n is the same for any large n.
    ends = [float(score_test(15, n, 30, n).ci_low) * n for n in (1e6, 1e9, 1e12)]
    assert ends[1] == pytest.approx(ends[2], rel=1e-6)
    assert ends[0] == pytest.approx(ends[2], rel=1e-4)


def test_proportions_choose_the_score_test_below_thirty_expected_events() -> None:
    r = compare_proportions([1, 29, 30, 9970, 9980], 10_000, [3, 31, 30, 9970, 9965], 10_000)
    assert r.score_used.tolist() == [True, False, False, False, True]
    np.testing.assert_allclose(r.expected_events, [2.0, 30.0, 30.0, 30.0, 27.5])
    both = welch(Moments.from_binomial(30, 10_000), Moments.from_binomial(30, 10_000))
    assert float(r.comparison.p_value[2]) == float(both.p_value)


def test_no_events_at_all_is_zero_variance_and_none_in_control_is_no_lift() -> None:
    r = compare_proportions([0, 0], 100, [0, 5], 100).comparison
    assert names(r.status).tolist() == ["zero_variance", "ok"]
    assert names(r.rel.status).tolist() == ["zero_variance", "zero_baseline"]


def test_log_risk_ratio_of_the_aspirin_study() -> None:
    # Agresti (2007), section 2.2: risk ratio 1.82 (1.43, 2.31).
    r = log_risk_ratio(104, 11037, 189, 11034)
    assert [round(float(v) + 1, 2) for v in (r.value, r.low, r.high)] == [1.82, 1.43, 2.31]
    z = two_proportion_z(104, 11037, 189, 11034)
    np.testing.assert_allclose([z.rel.low, z.rel.high], [r.low, r.high], rtol=1e-3)


def test_ratio_of_equal_denominators_is_the_mean() -> None:
    rng = np.random.default_rng(4)
    c, t = rng.normal(5, 1, 50), rng.normal(5.5, 1, 60)
    as_ratio = ratio_delta(
        JointMoments.from_values(np.column_stack([c, np.full(50, 2.0)])),
        JointMoments.from_values(np.column_stack([t, np.full(60, 2.0)])),
    )
    as_mean = welch(Moments.from_values(c / 2), Moments.from_values(t / 2))
    np.testing.assert_allclose(as_ratio.p_value, as_mean.p_value, rtol=1e-10)
    np.testing.assert_allclose(as_ratio.rel.low, as_mean.rel.low, rtol=1e-10)


def test_ratio_variance_equals_that_of_explicit_residuals() -> None:
    rng = np.random.default_rng(5)
    d = rng.poisson(4, 300) + 1.0
    y = d * rng.uniform(0, 1, 300)
    ratio = y.sum() / d.sum()
    residual = (y - ratio * d) / d.mean()
    e = ratio_estimate(JointMoments.from_values(np.column_stack([y, d])))
    assert float(e.variance) == pytest.approx(residual.var(ddof=1) / 300, rel=1e-12)
    assert linearised(JointMoments.from_values(np.column_stack([y, d, y]))).size == 2


def test_ratio_faults_have_reasons() -> None:
    def arm(n: int, *rows: tuple[float, float]) -> JointMoments:
        return JointMoments.from_values(np.array(rows[:n]).reshape(n, 2))

    assert names(ratio_estimate(arm(0)).status) == "no_exposure"
    assert names(ratio_estimate(arm(2, (1, 0), (2, 0))).status) == "zero_denominator"
    assert names(ratio_estimate(arm(1, (1, 1))).status) == "insufficient_sample"
    same = arm(3, (1, 2), (2, 4), (4, 8))
    assert names(ratio_delta(same, same).status) == "zero_variance"


def test_fieller_with_its_own_degrees_of_freedom_needs_two_units() -> None:
    lone = Moments.from_values([1.0])
    assert names(fieller_of_means(lone, Moments.from_values([1.0, 2.0])).status) == "insufficient_sample"


def test_chi_square_equals_scipy_and_skips_empty_margins() -> None:
    table = np.array([[10.0, 20.0, 5.0], [12.0, 9.0, 11.0]])
    expected = stats.chi2_contingency(table, correction=False)
    widened = np.concatenate([table, np.zeros((2, 1))], axis=1)
    r = chi_square_independence(np.stack([widened, widened * 2]))
    assert r.statistic[0] == pytest.approx(expected.statistic)
    assert r.p_value[0] == pytest.approx(expected.pvalue)
    assert r.df.tolist() == [2.0, 2.0]
    assert r.effect[0] == pytest.approx(stats.contingency.association(table.astype(int)))
    assert names(chi_square_independence([[1, 0], [2, 0]]).status) == "insufficient_sample"


def test_goodness_of_fit_equals_scipy_and_refuses_the_impossible() -> None:
    r = chi_square_fit([50, 30, 20], [2, 1, 1])
    expected = stats.chisquare([50, 30, 20], [50, 25, 25])
    assert float(r.p_value) == pytest.approx(expected.pvalue)
    stray = chi_square_fit([50, 1], [1, 0])
    assert (float(stray.statistic), float(stray.p_value)) == (np.inf, 0.0)


def test_anova_equals_scipy_and_statsmodels() -> None:
    rng = np.random.default_rng(8)
    groups = [rng.normal(m, s, n) for m, s, n in ((0, 1, 12), (0.5, 2, 20), (1, 0.5, 9))]
    labels = np.repeat(np.arange(3), [len(g) for g in groups])
    moments = Moments.from_groups(np.concatenate(groups), labels, 4)
    classic = oneway(moments)
    assert float(classic.p_value) == pytest.approx(stats.f_oneway(*groups).pvalue, rel=1e-10)
    unequal = welch_anova(moments)
    expected = sm_oneway.anova_oneway(groups, use_var="unequal")
    assert float(unequal.statistic) == pytest.approx(expected.statistic, rel=1e-10)
    assert float(unequal.p_value) == pytest.approx(expected.pvalue, rel=1e-10)
    assert names(oneway(Moments.from_values(np.ones((2, 3)))).status) == "zero_variance"


def test_anova_of_two_groups_is_the_t_test() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(1e10, 1, (2, 30))
    f = welch_anova(Moments.from_values(x))
    t = welch(Moments.from_values(x[0]), Moments.from_values(x[1]))
    assert float(f.p_value) == pytest.approx(float(t.p_value), rel=1e-8)


def test_cohens_d_interval_inverts_the_noncentral_t() -> None:
    rng = np.random.default_rng(10)
    low, high = noncentrality_interval(rng.normal(0, 5, 20), rng.uniform(3, 300, 20), np.array(0.1))
    assert (low < high).all()
    t, df = np.array([2.0, -3.0]), np.array([10.0, 50.0])
    low, high = noncentrality_interval(t, df, np.array(0.05))
    np.testing.assert_allclose(stats.nct.sf(t, df, low), 0.025, rtol=1e-7)
    np.testing.assert_allclose(stats.nct.cdf(t, df, high), 0.025, rtol=1e-7)


def test_cohens_d_of_a_million_units_is_normal() -> None:
    c, t = Moments.checked(1e6, 0.0, 1e6), Moments.checked(1e6, 0.01, 1e6)
    r = cohens_d(c, t)
    half = 1.959964 * np.sqrt(2e-6)
    np.testing.assert_allclose([r.ci_low, r.ci_high], [0.01 - half, 0.01 + half], rtol=1e-3)
    assert float(r.g) == pytest.approx(0.01, rel=1e-5)
    assert names(cohens_d(Moments.from_values([1.0]), t).status) == "insufficient_sample"


def test_labels_change_at_their_bounds() -> None:
    words = effect_label([0, 0.199999, 0.2, -0.5, 0.8, 1.2])
    assert words.tolist() == ["negligible", "negligible", "small", "medium", "large", "very large"]
    # statsmodels' proportion_effectsize is the same arcsine difference.
    assert float(cohens_h(0.3, 0.5)) == pytest.approx(sm_proportion.proportion_effectsize(0.5, 0.3))
