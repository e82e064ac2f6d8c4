"""The planner's units give the power that it states, judged look by look as an experiment would be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.planning.baseline import Baseline
from fairsplit.analysis.planning.design import design
from fairsplit.analysis.statistics.confidence_sequences import confidence_sequence
from fairsplit.analysis.statistics.experiment_plan import Setup
from fairsplit.analysis.statistics.group_sequential import lan_demets_bounds

pytestmark = pytest.mark.simulation
RUNS = 20_000
LOOKS = 14
RATE = Baseline("", binary=True, mean=0.10, variance=0.09)
MEAN = Baseline("", binary=False, mean=5.0, variance=400.0, correlation=0.6)


def rates(rng: np.random.Generator, control: int, arm: int, effect: float):
    """Differences of rates and their errors at each look, both of shape (RUNS, LOOKS), and units so far."""
    shown = []
    for size, rate in ((control, RATE.mean), (arm, RATE.mean * (1 + effect))):
        upto = np.round(size * np.arange(1, LOOKS + 1) / LOOKS).astype(int)
        hits = rng.binomial(np.diff(upto, prepend=0), rate, (RUNS, LOOKS)).cumsum(axis=1)
        shown.append((hits / upto, upto))
    (c, n_c), (t, n_t) = shown
    return t - c, np.sqrt(c * (1 - c) / n_c + t * (1 - t) / n_t), n_c + n_t


def means(rng: np.random.Generator, control: int, arm: int, effect: float):
    """As `rates`, of means adjusted for a covariate that takes `correlation` squared off the variance."""
    left = MEAN.variance * (1 - MEAN.correlation**2)
    shown = []
    for size, mean in ((control, MEAN.mean), (arm, MEAN.mean * (1 + effect))):
        upto = np.round(size * np.arange(1, LOOKS + 1) / LOOKS).astype(int)
        new = np.diff(upto, prepend=0)
        sums = (new * mean + np.sqrt(new * left) * rng.normal(size=(RUNS, LOOKS))).cumsum(axis=1)
        shown.append((sums / upto, upto))
    (c, n_c), (t, n_t) = shown
    return t - c, np.broadcast_to(np.sqrt(left / n_c + left / n_t), c.shape), n_c + n_t


@pytest.mark.parametrize(("draw", "baseline", "effect"), [(rates, RATE, 0.2), (means, MEAN, 0.1)])
@pytest.mark.parametrize("method", ["fixed", "group_sequential", "always_valid"])
def test_the_stated_power_is_reached(draw, baseline, effect, method):
    setup = Setup(method=method, looks=LOOKS)
    planned = design(baseline, effect, setup)
    gap, error, units = draw(np.random.default_rng(211), planned.control, planned.arm, effect)
    z = gap / error
    if method == "fixed":
        found, at = z[:, -1] > stats.norm.isf(setup.alpha / 2), np.full(RUNS, LOOKS - 1)
    else:
        if method == "group_sequential":
            crossed = z >= lan_demets_bounds(np.arange(1, LOOKS + 1) / LOOKS).upper
        else:
            crossed = confidence_sequence(gap, error, units, planned.total).low > 0
        found = crossed.any(axis=1)
        at = np.where(found, crossed.argmax(axis=1), LOOKS - 1)
    # The plan rests on normal limits: one point for them, and five Monte-Carlo errors.
    assert abs(found.mean() - setup.power) < 0.01 + 5 * np.sqrt(setup.power * (1 - setup.power) / RUNS)
    used = units[at]
    assert abs(used.mean() / planned.expected - 1) < 0.02 + 5 * used.std() / used.mean() / np.sqrt(RUNS)
