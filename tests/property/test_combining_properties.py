"""What must hold of combined effects, interactions and bandit estimates for any data."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fairsplit.analysis.bandits.evaluation import adaptive_contrasts, adaptive_means, adaptive_scores
from fairsplit.analysis.bandits.floors import with_floor
from fairsplit.analysis.bandits.top_two import top_two_probabilities
from fairsplit.analysis.statistics.combining import HETEROGENEITY_METHODS, meta_fixed, meta_random
from fairsplit.analysis.statistics.factorial import factorial_effects
from fairsplit.analysis.statistics.interactions import interaction_anova, subgroup_heterogeneity
from fairsplit.analysis.statistics.moments import Moments

effects = hnp.arrays(np.float64, 6, elements=st.floats(-10, 10))
variances = hnp.arrays(np.float64, 6, elements=st.floats(0.01, 10))
methods = st.sampled_from(HETEROGENEITY_METHODS)


@settings(max_examples=60, deadline=None)
@given(effects, variances, methods, st.booleans(), st.floats(0.01, 100))
def test_meta_analysis_scales_and_mirrors(y, v, method, knapp, unit):
    one = meta_random(y, v, method=method, hartung_knapp=knapp)
    two = meta_random(-unit * y, unit**2 * v, method=method, hartung_knapp=knapp)
    tolerance = {"rtol": 1e-5, "atol": 1e-6 * unit}
    np.testing.assert_allclose(two.estimate, -unit * one.estimate, **tolerance)
    np.testing.assert_allclose(two.ci_low, -unit * one.ci_high, **tolerance)
    np.testing.assert_allclose(two.tau2, unit**2 * one.tau2, rtol=1e-5, atol=1e-6 * unit**2)


@settings(max_examples=60, deadline=None)
@given(effects, variances, methods, st.permutations(range(6)))
def test_the_order_of_the_studies_does_not_matter(y, v, method, order):
    order = list(order)
    one, two = meta_random(y, v, method=method), meta_random(y[order], v[order], method=method)
    np.testing.assert_allclose(one.estimate, two.estimate, rtol=1e-6, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(effects, variances, methods)
def test_heterogeneity_widens_and_never_leaves_the_hull(y, v, method):
    fixed, random = meta_fixed(y, v), meta_random(y, v, method=method)
    assert random.tau2 >= 0
    assert random.se >= fixed.se * (1 - 1e-12)
    assert y.min() - 1e-9 <= random.estimate <= y.max() + 1e-9
    assert 0 <= random.i2_percent <= 100


@settings(max_examples=60, deadline=None)
@given(effects, variances)
def test_alike_groups_are_not_heterogeneous(y, v):
    same = subgroup_heterogeneity(np.full(6, y[0]), v)
    np.testing.assert_allclose(same.statistic, 0.0, atol=1e-9)
    shifted = subgroup_heterogeneity(y + 5.0, v)
    np.testing.assert_allclose(
        shifted.statistic, subgroup_heterogeneity(y, v).statistic, rtol=1e-6, atol=1e-9
    )


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, (2, 3), elements=st.floats(-100, 100)), st.floats(-1e3, 1e3), st.floats(0.01, 100)
)
def test_additive_shifts_leave_interactions_alone(means, shift, unit):
    n = np.array([[10, 20, 30], [40, 50, 60]])
    one = Moments.from_summary(n, means, 5.0)
    moved = Moments.from_summary(n, (means + shift + np.array([[0.0], [3.0]])) * unit, 5.0 * unit)
    f_one, f_two = interaction_anova(one), interaction_anova(moved)
    np.testing.assert_allclose(f_one.statistic, f_two.statistic, rtol=1e-5, atol=1e-6)
    a, b = factorial_effects(one, 2).contrasts, factorial_effects(moved, 2).contrasts
    np.testing.assert_allclose(b.estimate[3:], unit * a.estimate[3:], rtol=1e-6, atol=1e-8 * unit)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float64, 4, elements=st.floats(0, 1)), st.floats(0, 1), st.floats(0, 0.25))
def test_allocations_stay_allocations(raw, beta, floor):
    shares = (raw + 1e-6) / (raw + 1e-6).sum()
    for got in (top_two_probabilities(shares, beta), with_floor(shares, floor)):
        np.testing.assert_allclose(got.sum(), 1.0)
        assert (got >= 0).all()
    assert (with_floor(shares, floor) >= floor * (1 - 1e-12)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 100), st.floats(0.1, 100))
def test_aipw_moves_with_the_rewards_unit(seed, shift, unit):
    rng = np.random.default_rng(seed)
    arms, shares = rng.integers(0, 2, 30), np.full((30, 2), 0.5)
    arms[:2] = [0, 1]
    y = rng.normal(size=30)
    one, two = (adaptive_scores(arms, value, shares) for value in (y, unit * y))
    np.testing.assert_allclose(adaptive_means(two).estimate, unit * adaptive_means(one).estimate, rtol=1e-9)
    forth = adaptive_contrasts(one, control=0).estimate[1]
    back = adaptive_contrasts(one, control=1).estimate[0]
    np.testing.assert_allclose(forth, -back)
    # With shares of one half, IPW of a constant has mean equal to that constant times the observed share.
    flat = adaptive_means(
        adaptive_scores(arms, np.full(30, shift), shares, augmented=False, weighting="uniform")
    )
    np.testing.assert_allclose(flat.estimate, shift * 2 * np.bincount(arms, minlength=2) / 30, atol=1e-9)
