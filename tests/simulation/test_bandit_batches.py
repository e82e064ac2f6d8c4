"""Bandits over 28 daily batches with delayed rewards: regret, coverage beside plain means, error of stopping."""

from __future__ import annotations

import numpy as np
import pytest
from tests.simulation.bandit_runs import DAYS, run

from fairsplit.analysis.bandits.batched import Batches, batched_contrast
from fairsplit.analysis.bandits.stopping import surely_best

pytestmark = [pytest.mark.simulation, pytest.mark.slow]

RUNS = 500
MEANS = [0.0, 0.05, 0.1, 0.25]
#: Four standard errors of a share of 0.95, and 0.015 for what small arms lack in normality.
SLACK = 4 * np.sqrt(0.05 * 0.95 / RUNS) + 0.015


@pytest.mark.parametrize("algorithm", ["thompson", "top_two", "ucb", "epsilon_greedy"])
def test_regret_is_far_below_uniform_and_contrasts_cover(algorithm):
    done = run(307, RUNS, MEANS, algorithm)
    # The best fixed arm has no regret; equal shares miss 0.15 a unit. Top-two keeps half of its traffic for rivals, and
    # UCB's bonus is made for the worst case.
    assert done.uniform_regret == pytest.approx(0.15 * 300 * 28)
    bound = {"top_two": 0.75, "ucb": 0.95}.get(algorithm, 0.5)
    assert 0 < done.regret.mean() < bound * done.uniform_regret

    contrast = batched_contrast(done.data)
    truth = done.means - done.means[0]
    covered = np.abs(contrast.diff - truth) <= 1.96 * np.sqrt(contrast.var_diff)
    assert covered[:, 1:].mean(axis=0).min() > 0.95 - SLACK


def test_plain_means_fail_where_shares_and_level_move_together():
    done = run(311, RUNS, MEANS, "thompson")
    plain, error = done.plain()
    truth = done.means - done.means[0]
    reach = 1.96 * np.sqrt(error**2 + error[:, :1] ** 2)
    naive = (np.abs(plain - plain[:, :1] - truth) <= reach)[:, 1:].mean(axis=0)
    contrast = batched_contrast(done.data)
    covered = (np.abs(contrast.diff - truth) <= 1.96 * np.sqrt(contrast.var_diff))[:, 1:].mean(axis=0)
    # The best arm has its units from late in the season, the others have theirs from before.
    assert naive[-1] < 0.5
    assert covered[-1] > 0.95 - SLACK


@pytest.mark.parametrize("algorithm", ["thompson", "epsilon_greedy"])
def test_stopping_keeps_its_error_over_all_looks(algorithm):
    wrong = ever_called(run(313, RUNS, [0.0, 0.0, 0.0], algorithm))
    # No arm is better than every other.
    assert wrong.any(axis=1).mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / RUNS)
    right = ever_called(run(317, RUNS, [0.0, 0.1, 0.5], algorithm))
    assert not right[:, :2].any()
    assert right[:, 2].mean() > 0.9


def ever_called(done) -> np.ndarray:
    """Whether each arm was called best on any day, shape (runs, arms)."""
    called = np.zeros((RUNS, done.means.size), dtype=bool)
    for day in range(7, DAYS + 1):
        data = done.data
        so_far = Batches(*(values[:, :day] for values in (data.n, data.mean, data.m2, data.share)))
        called |= surely_best(so_far, least=30)
    return called
