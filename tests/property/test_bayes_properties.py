"""What must hold of posteriors for any data."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fairsplit.analysis.statistics.bayes_beta import beta_best, beta_compare, beta_interval
from fairsplit.analysis.statistics.bayes_normal import normal_best, normal_effect

trials = st.integers(0, 10**7)
finite = st.floats(-1e6, 1e6)
errors = st.floats(1e-3, 1e6)


@st.composite
def rates(draw, arms=2):
    n = [draw(trials) for _ in range(arms)]
    return np.array([draw(st.integers(0, m)) for m in n]), np.array(n)


@settings(max_examples=60, deadline=None)
@given(rates())
def test_swapping_the_arms_mirrors_the_comparison(data):
    x, n = data
    one, two = beta_compare(x[0], n[0], x[1], n[1]), beta_compare(x[1], n[1], x[0], n[0])
    np.testing.assert_allclose(one.p_beat + two.p_beat, 1.0, atol=1e-12)
    np.testing.assert_allclose(one.loss_choose_c, two.loss_choose_t, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(one.mean_diff, -two.mean_diff)


@settings(max_examples=60, deadline=None)
@given(rates())
def test_losses_differ_by_the_mean_difference(data):
    x, n = data
    r = beta_compare(x[0], n[0], x[1], n[1])
    scale = max(float(r.mean_c), float(r.mean_t))
    np.testing.assert_allclose(r.loss_choose_c - r.loss_choose_t, r.mean_diff, rtol=1e-6, atol=1e-9 * scale)


@settings(max_examples=60, deadline=None)
@given(rates())
def test_successes_and_failures_are_mirrors(data):
    x, n = data
    one = beta_compare(x[0], n[0], x[1], n[1])
    two = beta_compare(n[1] - x[1], n[1], n[0] - x[0], n[0])
    np.testing.assert_allclose(one.p_beat, two.p_beat, rtol=1e-6, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(rates())
def test_one_more_success_never_lowers_the_chance(data):
    x, n = data
    assume(x[1] < n[1])
    before, after = (beta_compare(x[0], n[0], x[1] + extra, n[1]).p_beat for extra in (0, 1))
    assert after >= before - 1e-9


@settings(max_examples=30, deadline=None)
@given(rates(arms=4), st.permutations(range(4)))
def test_chances_to_be_best_follow_their_arms(data, order):
    x, n = data
    order = list(order)
    one, two = beta_best(x, n), beta_best(x[order], n[order])
    np.testing.assert_allclose(one.p_best.sum(), 1.0)
    np.testing.assert_allclose(one.p_best[order], two.p_best, atol=1e-9)
    np.testing.assert_allclose(one.expected_loss[order], two.expected_loss, rtol=1e-6, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, 4, elements=finite),
    hnp.arrays(np.float64, 4, elements=errors),
    st.floats(1e-3, 1e3),
)
def test_normal_arms_move_with_unit(mean, se, unit):
    one, two = normal_best(mean, se), normal_best(mean * unit, se * unit)
    np.testing.assert_allclose(one.p_best.sum(), 1.0)
    np.testing.assert_allclose(one.p_best, two.p_best, atol=1e-6)
    # Losses differ between arms by exactly the difference of their means.
    gap = one.expected_loss - one.expected_loss[0]
    np.testing.assert_allclose(gap, mean[0] - mean, rtol=1e-6, atol=1e-6 * (np.ptp(mean) + se.max()))


@settings(max_examples=80, deadline=None)
@given(finite, errors, errors)
def test_a_prior_pulls_towards_its_mean(d, se, sd0):
    r = normal_effect(d, se, prior_sd=sd0)
    assert abs(r.mean) <= abs(d) * (1 + 1e-12)
    assert r.sd <= min(se, sd0) * (1 + 1e-12)
    np.testing.assert_allclose(r.risk_c - r.risk_t, r.mean, rtol=1e-6, atol=1e-9 * float(r.sd))


@settings(max_examples=60, deadline=None)
@given(rates(arms=1), st.floats(0.001, 0.5))
def test_intervals_hold_their_mass_and_nest(data, alpha):
    x, n = data
    wide, narrow = (
        beta_interval(x[0], n[0], alpha=alpha),
        beta_interval(x[0], n[0], alpha=min(2 * alpha, 0.99)),
    )
    assert wide.low <= narrow.low <= narrow.high <= wide.high
