"""Shares of the next batch: every algorithm by numbers from elsewhere, floors and steps as properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from fairsplit.analysis.bandits.updating import batch_shares, chance_of_best, stepped


def test_bernoulli_chances_are_those_of_beta_posteriors():
    n, mean = np.array([120.0, 80.0]), np.array([0.1, 0.15])
    a, b = stats.beta(13, 109), stats.beta(13, 69)
    expected, _ = integrate.quad(lambda x: b.pdf(x) * a.cdf(x), 0, 1, epsabs=1e-12)
    assert chance_of_best(n, mean, n * mean * (1 - mean), bernoulli=True)[1] == pytest.approx(
        expected, abs=1e-9
    )


def test_normal_chances_are_those_of_normal_posteriors():
    n, mean, m2 = np.array([50.0, 20.0]), np.array([1.0, 1.4]), np.array([98.0, 38.0])
    # Variances of the means: 98/49/50 and 38/19/20.
    expected = stats.norm.cdf(0.4 / np.sqrt(0.04 + 0.1))
    assert chance_of_best(n, mean, m2, bernoulli=False)[1] == pytest.approx(expected, abs=1e-9)


def test_ucb_serves_the_arm_that_may_be_best():
    n, mean = np.array([1000.0, 1000.0, 40.0]), np.array([0.50, 0.52, 0.45])
    m2 = n * mean * (1 - mean)
    spread = np.sqrt(m2.sum() / 2037)
    index = mean + 2 * spread * np.sqrt(2 * np.log(2040) / n)
    assert index.argmax() == 2
    assert batch_shares("ucb", mean, n, mean, m2).tolist() == [0.0, 0.0, 1.0]


def test_epsilon_greedy_and_top_two():
    n, mean = np.array([10.0, 10.0]), np.array([1.0, 2.0])
    assert batch_shares("epsilon_greedy", mean, n, mean, n, epsilon=0.2) == pytest.approx([0.1, 0.9])
    # Russo's rule for two arms: half of the draws go to the leader of the first draw, half to the other.
    assert batch_shares("top_two", np.array([0.9, 0.1]), n, mean, n) == pytest.approx([0.5, 0.5])


shares = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(lambda v: np.array(v) / sum(v))


@given(shares, shares, st.floats(0.0, 0.3), st.floats(0.01, 1.0))
def test_a_step_keeps_the_sum_the_floor_and_its_length(current, wanted, floor, step):
    current = floor + (1 - 3 * floor) * current
    moved = stepped(current, wanted, floor=floor, max_step=step)
    assert moved.sum() == pytest.approx(1.0)
    assert moved.min() >= floor - 1e-12
    assert np.abs(moved - current).max() <= step + 1e-12


def test_without_a_limit_the_floored_shares_are_reached():
    assert stepped([0.5, 0.5], [1.0, 0.0], floor=0.05) == pytest.approx([0.95, 0.05])
