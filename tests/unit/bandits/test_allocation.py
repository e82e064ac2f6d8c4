"""Allocations against hand-worked values and simulated draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.bandits.epsilon_greedy import epsilon_greedy
from fairsplit.analysis.bandits.floors import with_floor
from fairsplit.analysis.bandits.shares import as_shares
from fairsplit.analysis.bandits.thompson import thompson_beta, thompson_normal
from fairsplit.analysis.bandits.top_two import top_two_probabilities
from fairsplit.analysis.bandits.ucb import ucb1
from fairsplit.analysis.statistics.checks import InputError


def test_thompson_shares_are_the_frequencies_of_posterior_draws():
    rng = np.random.default_rng(41)
    x, n = np.array([5, 9, 2]), np.array([60, 80, 15])
    draws = rng.beta(x + 1, n - x + 1, (400_000, 3)).argmax(axis=1)
    seen = np.bincount(draws, minlength=3) / 400_000
    # Five standard errors of a frequency.
    np.testing.assert_allclose(thompson_beta(x, n), seen, atol=5 * 0.5 / np.sqrt(400_000))


def test_thompson_of_two_normals_is_closed_form():
    got = thompson_normal([0.0, 0.5], [0.3, 0.4])
    assert got[1] == pytest.approx(stats.norm.cdf(1.0), rel=1e-10)


def test_arms_without_data_share_equally():
    np.testing.assert_allclose(thompson_beta([0] * 4, [0] * 4), 0.25, rtol=1e-10)


def test_top_two_by_hand():
    got = top_two_probabilities([0.7, 0.2, 0.1], 0.5)
    a, b, c = 0.7, 0.2, 0.1
    assert got[0] == pytest.approx(a * (0.5 + 0.5 * (b / 0.8 + c / 0.9)))
    assert got[1] == pytest.approx(b * (0.5 + 0.5 * (a / 0.3 + c / 0.9)))
    assert got[2] == pytest.approx(c * (0.5 + 0.5 * (a / 0.3 + b / 0.8)))


def test_top_two_is_its_own_sampling_procedure():
    rng = np.random.default_rng(43)
    p, size = np.array([0.6, 0.3, 0.1]), 200_000
    first = rng.choice(3, size, p=p)
    second = first.copy()
    while (same := second == first).any():
        second[same] = rng.choice(3, same.sum(), p=p)
    served = np.where(rng.random(size) < 0.3, first, second)
    seen = np.bincount(served) / size
    np.testing.assert_allclose(top_two_probabilities(p, 0.3), seen, atol=5 * 0.5 / np.sqrt(size))


def test_a_certain_winner_leaves_the_rest_to_its_rivals():
    np.testing.assert_allclose(top_two_probabilities([1.0, 0.0, 0.0], 0.6), [0.6, 0.2, 0.2])
    near = top_two_probabilities([1 - 3e-14, 2e-14, 1e-14], 0.5)
    np.testing.assert_allclose(near, [0.5, 1 / 3, 1 / 6], rtol=1e-2)
    assert top_two_probabilities([[1.0]]).tolist() == [[1.0]]


def test_ucb_by_hand_and_unpulled_arms_first():
    got = ucb1([[0.5, 0.4], [0.9, 0.0]], [[100, 10], [5, 0]], [2.0, 1.0])
    assert got.index[0, 1] == pytest.approx(0.4 + 2 * np.sqrt(2 * np.log(110) / 10))
    assert np.isposinf(got.index[1, 1])
    assert got.choose.tolist() == [1, 1]
    assert ucb1([0.2, 0.1], [0, 0]).choose == 0


def test_epsilon_greedy_by_hand_and_ties():
    np.testing.assert_allclose(epsilon_greedy([0.1, 0.3, 0.2], 0.3), [0.1, 0.8, 0.1])
    np.testing.assert_allclose(epsilon_greedy([[0.3, 0.3, 0.2]], [0.3]), [[0.45, 0.45, 0.1]])


def test_floor_by_hand():
    np.testing.assert_allclose(with_floor([0.9, 0.1, 0.0], 0.05), [0.815, 0.135, 0.05])
    np.testing.assert_allclose(with_floor([1.0, 0.0], 0.5), [0.5, 0.5])


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: as_shares([0.5, 0.4], "shares"), "out_of_range"),
        (lambda: as_shares(1.0, "shares"), "shape_mismatch"),
        (lambda: with_floor([0.5, 0.5], 0.6), "out_of_range"),
        (lambda: top_two_probabilities([0.5, 0.5], 1.5), "out_of_range"),
        (lambda: epsilon_greedy([0.5, np.nan], 0.1), "not_finite"),
        (lambda: epsilon_greedy(0.5, 0.1), "shape_mismatch"),
        (lambda: ucb1([0.5], [-1]), "negative"),
        (lambda: ucb1(0.5, 1), "shape_mismatch"),
    ],
)
def test_impossible_inputs_are_refused(call, code):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.code == code
