"""Coverage of adaptively weighted estimates, where plain means fail; seeds fixed, tolerances derived."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.bandits.evaluation import adaptive_contrasts, adaptive_means, adaptive_scores

pytestmark = pytest.mark.simulation

RUNS, BATCHES, SIZE, ARMS = 1500, 20, 50, 3


def _greedy_runs(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equal arms, unit variance; the leader's share rises to 1 - 2 t^-1/2 / 3 in batches."""
    rng = np.random.default_rng(seed)
    arms = np.empty((RUNS, BATCHES * SIZE), dtype=np.int64)
    rewards = rng.normal(0.0, 1.0, arms.shape)
    shares = np.empty((*arms.shape, ARMS))
    sums, pulls = np.zeros((RUNS, ARMS)), np.zeros((RUNS, ARMS))
    for batch in range(BATCHES):
        now = slice(batch * SIZE, (batch + 1) * SIZE)
        floor = (batch * SIZE + 1) ** -0.5 / ARMS
        leader = (sums / np.maximum(pulls, 1)).argmax(axis=1)
        p = np.full((RUNS, ARMS), floor)
        p[np.arange(RUNS), leader] = 1 - (ARMS - 1) * floor
        shares[:, now] = p[:, None]
        arms[:, now] = (rng.random((RUNS, SIZE, 1)) > np.cumsum(p, axis=1)[:, None, :-1]).sum(axis=-1)
        for arm in range(ARMS):
            hit = arms[:, now] == arm
            sums[:, arm] += (rewards[:, now] * hit).sum(axis=1)
            pulls[:, arm] += hit.sum(axis=1)
    return arms, rewards, shares


def test_two_point_weights_cover_where_plain_means_are_biased():
    arms, rewards, shares = _greedy_runs(211)
    served = arms[..., None] == np.arange(ARMS)
    pulls = served.sum(axis=1)
    plain = (rewards[..., None] * served).sum(axis=1) / np.maximum(pulls, 1)
    # A bandit leaves the arms that were unlucky: their means stay too low.
    assert plain.mean() < -4 * plain.std() / np.sqrt(RUNS * ARMS)

    scores = adaptive_scores(arms, rewards, shares, weighting="two_point")
    means = adaptive_means(scores)
    # Weights that depend on the past trade the estimate's bias for a Normal law; half of the bias stays.
    assert abs(means.estimate.mean()) < 0.6 * abs(plain.mean())
    covered = (means.ci_low <= 0) & (means.ci_high >= 0)
    error = 4 * np.sqrt(0.05 * 0.95 / RUNS)
    # One arm a run is looked at, so that the runs are independent.
    assert covered[:, 0].mean() == pytest.approx(0.95, abs=error + 0.01)
    contrast = adaptive_contrasts(scores)
    assert ((contrast.ci_low <= 0) & (contrast.ci_high >= 0))[:, 1].mean() > 0.95 - error - 0.01

    uniform = adaptive_means(adaptive_scores(arms, rewards, shares, weighting="uniform", augmented=False))
    # Without weights the estimate has no bias at all, but a much larger error.
    assert abs(uniform.estimate.mean()) < 4 * uniform.estimate.std() / np.sqrt(RUNS * ARMS)
    assert uniform.estimate.std() > 1.3 * means.estimate.std()


def test_statistics_of_two_point_weights_are_near_normal():
    scores = adaptive_scores(*_greedy_runs(223), weighting="two_point")
    z = adaptive_means(scores).statistic[:, 1]
    assert stats.kstest(z, "norm").statistic < 1.95 / np.sqrt(RUNS) + 0.02
