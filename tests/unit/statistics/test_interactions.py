"""Interactions against statsmodels' least squares and hand-worked cells."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from fairsplit.analysis.statistics.checks import InputError
from fairsplit.analysis.statistics.factorial import factorial_effects, interaction_did
from fairsplit.analysis.statistics.interactions import (
    cells_from_values,
    interaction_anova,
    subgroup_heterogeneity,
    treatment_by_covariate,
)
from fairsplit.analysis.statistics.moments import JointMoments, Moments
from fairsplit.analysis.statistics.status import names


def _dummies(codes: np.ndarray) -> np.ndarray:
    return (codes[:, None] == np.unique(codes)[1:]).astype(float)


def _anova_reference(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float, float, float]:
    da, db = _dummies(a), _dummies(b)
    both = (da[:, :, None] * db[:, None, :]).reshape(len(y), -1)
    additive = sm.OLS(y, sm.add_constant(np.column_stack([da, db]))).fit()
    full = sm.OLS(y, sm.add_constant(np.column_stack([da, db, both]))).fit()
    return (
        full.compare_f_test(additive)[0],
        full.compare_f_test(additive)[2],
        full.df_resid,
        full.compare_f_test(additive)[1],
    )


@pytest.mark.parametrize("levels", [(2, 2), (2, 3), (4, 3)])
def test_anova_of_unequal_cells_equals_nested_least_squares(levels):
    rng = np.random.default_rng(19)
    a, b = rng.integers(0, levels[0], 200), rng.integers(0, levels[1], 200)
    y = rng.normal(1e6 + a + 0.5 * b + 0.4 * a * b, 2.0)
    got = interaction_anova(cells_from_values(y, a, b))
    f, df1, df2, p = _anova_reference(y - 1e6, a, b)
    assert got.statistic == pytest.approx(f, rel=1e-7)
    assert (got.df1, got.df2) == (df1, df2)
    assert got.p_value == pytest.approx(p, rel=1e-6)


def test_anova_loses_the_degrees_of_freedom_of_empty_cells():
    cells = Moments.from_summary([[5, 6, 7], [7, 8, 0]], [[1.0, 1.5, 2.0], [1.2, 2.9, 0.0]], 1.0)
    got = interaction_anova(cells)
    full = interaction_anova(Moments.from_summary([[5, 6], [7, 8]], [[1.0, 1.5], [1.2, 2.9]], 1.0))
    assert (got.df1, got.df2) == (1, 28)
    # The third column has one cell only and fits itself: the interaction is that of the other four.
    assert got.statistic == pytest.approx(float(full.statistic), rel=1e-9)


def test_anova_says_what_it_cannot_do():
    n = [[[1, 1], [1, 1]], [[0, 0], [0, 0]], [[4, 0], [0, 4]], [[4, 4], [4, 4]]]
    sd = [[[0.0] * 2] * 2] * 4
    got = interaction_anova(Moments.from_summary(n, [[[1.0, 2.0], [3.0, 5.0]]] * 4, sd))
    assert names(got.status).tolist() == ["insufficient_sample", "no_exposure", "infeasible", "zero_variance"]
    assert np.isnan(got.p_value).all()


def test_difference_of_differences_is_a_linear_contrast():
    n = np.array([[100, 120], [90, 300]])
    mean = np.array([[1.0, 1.5], [1.2, 2.1]])
    sd = np.array([[1.0, 2.0], [0.5, 3.0]])
    got = interaction_did(Moments.from_summary(n, mean, sd), alpha=0.1)
    se = np.sqrt((sd**2 / n).sum())
    assert got.estimate == pytest.approx(0.4)
    assert got.se == pytest.approx(se)
    assert got.p_value == pytest.approx(2 * stats.norm.sf(0.4 / se))
    assert (got.ci_low, got.ci_high) == pytest.approx(stats.norm(0.4, se).interval(0.9))


def test_factorial_effects_of_a_balanced_2x2x2_are_the_regressions():
    rng = np.random.default_rng(23)
    codes = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, -1).repeat(50, axis=1)
    y = 1 + 0.5 * codes[0] - 0.2 * codes[1] + 0.7 * codes[0] * codes[2] + rng.normal(size=400)
    got = factorial_effects(cells_from_values(y, *codes), 3, max_order=3)
    # Effect coding -1/2, +1/2 makes the coefficients the marginal contrasts.
    x = codes - 0.5
    columns = [np.prod([x[f] for f, _ in term], axis=0) for term in got.terms]
    fit = sm.OLS(y, sm.add_constant(np.column_stack(columns))).fit(cov_type="HC2")
    np.testing.assert_allclose(got.contrasts.estimate, fit.params[1:], rtol=1e-9)
    np.testing.assert_allclose(got.contrasts.se, fit.bse[1:], rtol=1e-9)
    assert len(got.terms) == 7


def test_margins_weigh_the_levels_of_the_other_factor():
    cells = Moments.from_summary(100, [[1.0, 1.0], [2.0, 4.0]], 1.0)
    even = factorial_effects(cells, 2, max_order=1)
    skewed = factorial_effects(cells, 2, margins=[[1, 1], [9, 1]], max_order=1)
    assert even.contrasts.estimate[0] == pytest.approx(2.0)
    assert skewed.contrasts.estimate[0] == pytest.approx(0.9 * 1 + 0.1 * 3)


def test_factorial_statuses_follow_the_cells_used():
    cells = Moments.from_summary([[10, 10], [10, 0]], [[1.0, 1.0], [2.0, 4.0]], 1.0)
    got = factorial_effects(cells, 2, margins=[[1, 0], [1, 0]])
    assert names(got.contrasts.status).tolist() == ["ok", "ok", "no_exposure"]


def test_many_experiments_at_once():
    cells = Moments.from_summary(np.full((7, 2, 3), 50), np.arange(42.0).reshape(7, 2, 3), 1.0)
    got = factorial_effects(cells, 2)
    assert got.contrasts.estimate.shape == (7, 5)
    np.testing.assert_allclose(got.contrasts.estimate[:, 0], 3.0)


def test_q_between_is_total_minus_within():
    rng = np.random.default_rng(29)
    y, v = rng.normal(size=9), rng.uniform(0.1, 1, 9)
    group = np.array(list("aabbbcccc"))

    def q(select):
        w = 1 / v[select]
        return (w * (y[select] - np.average(y[select], weights=w)) ** 2).sum()

    expected = q(np.ones(9, bool)) - sum(q(group == g) for g in "abc")
    got = subgroup_heterogeneity(y, v, group=group)
    assert got.statistic == pytest.approx(expected, rel=1e-10)
    assert got.p_value == pytest.approx(stats.chi2.sf(expected, 2), rel=1e-9)


def test_absent_segments_do_not_count():
    got = subgroup_heterogeneity(
        [[0.1, 0.4, np.nan], [0.1, np.nan, np.nan], [np.nan] * 3],
        [[0.01, 0.02, np.nan], [0.01, np.nan, np.nan], [np.nan] * 3],
        present=[[True, True, False], [True, False, False], [False] * 3],
    )
    assert got.statistic[0] == pytest.approx(0.3**2 / 0.03)
    assert names(got.status).tolist() == ["ok", "infeasible", "no_exposure"]


@pytest.mark.parametrize("pooled", [True, False])
def test_treatment_by_covariate_equals_the_regression(pooled):
    rng = np.random.default_rng(31)
    arms = []
    for slope, spread, size in ((0.5, 1.0, 80), (0.9, 3.0, 50)):
        x = rng.normal(1e5, 2, size)
        arms.append(np.column_stack([x, 3 + slope * (x - 1e5) + rng.normal(0, spread, size)]))
    got = treatment_by_covariate(*(JointMoments.from_values(arm) for arm in arms), pooled=pooled)
    fits = [sm.OLS(arm[:, 1], sm.add_constant(arm[:, 0] - 1e5)).fit() for arm in arms]
    assert got.estimate == pytest.approx(fits[1].params[1] - fits[0].params[1], rel=1e-7)
    if pooled:
        d = np.repeat([0, 1], [80, 50])
        x, y = np.concatenate(arms).T
        x = x - 1e5
        fit = sm.OLS(y, sm.add_constant(np.column_stack([d, x, d * x]))).fit()
        assert got.se == pytest.approx(fit.bse[3], rel=1e-7)
        assert got.p_value == pytest.approx(fit.pvalues[3], rel=1e-6)
        assert got.df == fit.df_resid
    else:
        assert got.se == pytest.approx(np.hypot(fits[0].bse[1], fits[1].bse[1]), rel=1e-7)


def test_a_constant_covariate_is_named():
    flat = JointMoments.from_values([[1.0, 1.0], [1.0, 2.0], [1.0, 4.0]])
    got = treatment_by_covariate(flat, flat)
    assert names(got.status) == "constant_covariate"
    assert np.isnan(got.p_value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: interaction_did(Moments.from_summary([1, 2], 1.0, 1.0)),
        lambda: interaction_anova(Moments.from_summary([1, 2], 1.0, 1.0)),
        lambda: factorial_effects(Moments.from_summary([1, 2], 1.0, 1.0), 2),
        lambda: factorial_effects(
            Moments.from_summary([[9, 9]] * 2, 1.0, 1.0), 2, margins=[[1, 1], [1, 1, 1]]
        ),
        lambda: subgroup_heterogeneity([0.1, 0.2], [1, 1], group=["a"]),
        lambda: cells_from_values([1.0, 2.0], [0, 1], [1]),
        lambda: treatment_by_covariate(*[JointMoments.from_values(np.ones((4, 3)))] * 2),
    ],
)
def test_wrong_shapes_are_refused(call):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.code == "shape_mismatch"
