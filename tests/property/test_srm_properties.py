"""What must hold of SRM tests for any counts and weights."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fairsplit.analysis.statistics.srm import srm_chi_square, srm_chi_square_phases, srm_exact, srm_sequential

ARMS = 3
counts = hnp.arrays(np.int64, (4, ARMS), elements=st.integers(0, 10**6))
weights = hnp.arrays(np.float64, ARMS, elements=st.floats(0.01, 1.0))
orders = st.permutations(range(ARMS))


@settings(max_examples=60, deadline=None)
@given(counts, weights, orders)
def test_the_order_of_the_arms_does_not_matter(c, w, order):
    order = list(order)
    first, second = srm_sequential(c, w), srm_sequential(c[:, order], w[order])
    np.testing.assert_allclose(first.log_bayes_factor, second.log_bayes_factor, rtol=1e-7, atol=1e-6)
    first, second = srm_chi_square_phases(c, w), srm_chi_square_phases(c[:, order], w[order])
    np.testing.assert_allclose(first.statistic, second.statistic, rtol=1e-6, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(counts, weights, st.floats(0.001, 1000))
def test_the_scale_of_the_weights_does_not_matter(c, w, scale):
    np.testing.assert_allclose(
        srm_sequential(c, w).log_bayes_factor,
        srm_sequential(c, scale * w).log_bayes_factor,
        rtol=1e-6,
        atol=1e-4,
    )


@settings(max_examples=60, deadline=None)
@given(counts, weights)
def test_padding_changes_nothing(c, w):
    wide = np.pad(c, ((0, 2), (0, 1)))
    plain, padded = srm_sequential(c, w), srm_sequential(wide, np.append(w, 0.0))
    np.testing.assert_allclose(plain.log_bayes_factor, padded.log_bayes_factor[:4], rtol=1e-9, atol=1e-9)
    if c.sum() > 0:
        assert padded.log_bayes_factor[-1] == padded.log_bayes_factor[3]


@settings(max_examples=60, deadline=None)
@given(counts, weights)
def test_the_running_p_value_never_rises(c, w):
    got = srm_sequential(c, w)
    assert not np.any(np.diff(got.p_value) > 0)
    assert np.isnan(got.p_value).all() or ((got.p_value >= 0) & (got.p_value <= 1)).all()


@settings(max_examples=60, deadline=None)
@given(counts, weights)
def test_constant_weights_make_phases_pearsons(c, w):
    total, phases = srm_chi_square(c.sum(axis=0), w), srm_chi_square_phases(c, w)
    np.testing.assert_allclose(phases.statistic, total.statistic, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(phases.df, total.df)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int64, 3, elements=st.integers(0, 12)), weights)
def test_the_most_likely_outcome_has_exact_p_of_one(c, w):
    got = srm_exact(c, w)
    if c.sum() == 0:
        return
    assert 0 < got.p_value <= 1
    n = int(c.sum())
    grid = np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)])
    every = srm_exact(grid, w)
    assert every.p_value.max() > 1 - 1e-6
