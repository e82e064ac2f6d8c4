"""SRM alarm rates under the null, and what a loss looks like; seeds fixed, tolerances four binomial errors."""

from __future__ import annotations

import numpy as np
import pytest

from fairsplit.analysis.statistics.srm import srm_chi_square, srm_chi_square_phases, srm_fixed, srm_sequential

pytestmark = pytest.mark.simulation

DAYS = 28


def _four_errors(rate: float, runs: int) -> float:
    return 4 * float(np.sqrt(rate * (1 - rate) / runs))


@pytest.mark.parametrize(("weights", "concentration"), [([0.5, 0.5], 10_000), ([0.8, 0.1, 0.1], 100)])
def test_daily_looks_at_the_sequential_test_keep_alpha(weights, concentration):
    rng = np.random.default_rng(101)
    runs, alpha = 4000, 0.05
    counts = rng.multinomial(2000, weights, (runs, DAYS))
    alarms = (srm_sequential(counts, weights, concentration=concentration).p_value[:, -1] <= alpha).mean()
    assert alarms <= alpha + _four_errors(alpha, runs)


def test_a_ramp_with_changing_weights_keeps_alpha():
    rng = np.random.default_rng(103)
    runs, alpha = 4000, 0.05
    weights = np.repeat([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.5, 0.5]], 7, axis=0)
    counts = np.stack([rng.multinomial(1500, w, runs) for w in weights], axis=1)
    assert (srm_sequential(counts, weights).p_value[:, -1] <= alpha).mean() <= alpha + _four_errors(
        alpha, runs
    )
    phases = srm_chi_square_phases(counts, weights)
    assert (phases.p_value <= alpha).mean() == pytest.approx(alpha, abs=_four_errors(alpha, runs))
    # Pearson on the summed expectations is too quiet here: that is why the phases have a test of their own.
    n = counts.sum(axis=(1, 2))
    expected = (counts.sum(axis=2)[..., None] * weights).sum(axis=1)
    naive = srm_chi_square(counts.sum(axis=1), expected / n[:, None])
    assert (naive.p_value <= alpha).mean() < alpha - _four_errors(alpha, runs)


def test_daily_looks_at_chi_square_do_not_keep_alpha():
    rng = np.random.default_rng(107)
    counts = np.cumsum(rng.multinomial(2000, [0.5, 0.5], (2000, DAYS)), axis=1)
    ever = (srm_chi_square(counts, [1, 1]).p_value <= 0.05).any(axis=1).mean()
    assert ever > 0.2


@pytest.mark.parametrize("n", [6, 12, 25])
def test_small_counts_keep_alpha_exactly(n):
    rng = np.random.default_rng(109)
    runs = 20_000
    got = srm_fixed(rng.multinomial(n, [0.7, 0.2, 0.1], runs), [0.7, 0.2, 0.1])
    assert got.exact.all()
    for alpha in (0.01, 0.05):
        assert (got.p_value <= alpha).mean() <= alpha + _four_errors(alpha, runs)


@pytest.mark.parametrize(("loss", "least"), [(0.01, 0.04), (0.05, 0.999)])
def test_a_loss_is_found_by_daily_looks(loss, least):
    rng = np.random.default_rng(113)
    share = (1 - loss) / (2 - loss)
    counts = rng.multinomial(10_000, [1 - share, share], (500, DAYS))
    found = srm_sequential(counts, [1, 1]).p_value <= 0.001
    assert found[:, -1].mean() > least
    if loss == 0.05:
        first_day = found.argmax(axis=1)
        assert np.median(first_day) <= 6
