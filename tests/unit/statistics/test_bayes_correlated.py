"""Correlated arms against quadrature for independent ones and the bivariate Normal's closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.statistics.bayes_correlated import normal_best_correlated
from fairsplit.analysis.statistics.bayes_normal import normal_best
from fairsplit.analysis.statistics.checks import InputError


def test_independent_arms_equal_quadrature_within_the_reported_error():
    mean, se = np.array([[0.0, 0.3, -0.2, 0.1], [1.0, 1.0, 1.0, 2.0]]), np.array([1.0, 0.5, 2.0, 0.8])
    got = normal_best_correlated(mean, np.diag(se**2), seed=5)
    exact = normal_best(mean, se)
    assert (np.abs(got.p_best - exact.p_best) <= 5 * got.p_best_error + 1e-6).all()
    assert (np.abs(got.expected_loss - exact.expected_loss) <= 5 * got.expected_loss_error + 1e-6).all()
    assert got.p_best_error.max() < 1e-3


def test_two_correlated_arms_are_closed_form():
    cov = np.array([[1.0, 0.8], [0.8, 2.0]])
    got = normal_best_correlated([0.0, 0.5], cov, seed=6)
    sd = np.sqrt(1.0 + 2.0 - 1.6)
    assert got.p_best[1] == pytest.approx(stats.norm.cdf(0.5 / sd), abs=1e-3)
    assert got.expected_loss[0] - got.expected_loss[1] == pytest.approx(0.5, abs=1e-3)


def test_a_shared_control_makes_effects_correlated_and_singular_matrices_are_fine():
    got = normal_best_correlated([0.0, 0.0, 0.0], np.ones((3, 3)), seed=7)
    np.testing.assert_allclose(got.p_best.sum(), 1.0)
    np.testing.assert_allclose(got.expected_loss, 0.0, atol=1e-7)


def test_seeds_are_kept():
    one, two = (normal_best_correlated([0.0, 0.1, 0.2], np.eye(3), seed=8) for _ in range(2))
    np.testing.assert_array_equal(one.p_best, two.p_best)
    np.testing.assert_allclose(one.p_best.sum(), 1.0)


@pytest.mark.parametrize(
    ("mean", "covariance", "code"),
    [
        ([0.0, 1.0], np.eye(3), "shape_mismatch"),
        ([0.0, 1.0], [[1.0, 2.0], [2.0, 1.0]], "out_of_range"),
        ([0.0, 1.0], [[1.0, 0.5], [0.2, 1.0]], "out_of_range"),
        ([0.0, np.nan], np.eye(2), "not_finite"),
        (0.0, np.eye(1), "shape_mismatch"),
    ],
)
def test_impossible_inputs_are_refused(mean, covariance, code):
    with pytest.raises(InputError) as caught:
        normal_best_correlated(mean, covariance, seed=1)
    assert caught.value.code == code
