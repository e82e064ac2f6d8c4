"""M36: contextual bandits served from their own policies: regret, coverage of the value, and false claims.

Each batch's units are split by the shares in force; reward is that beside one arm for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from fairsplit.analysis.bandits.contextual.cells import Cells
from fairsplit.analysis.bandits.contextual.trees import arms_of
from fairsplit.analysis.bandits.contextual.value import learn, lower_bounds
from fairsplit.analysis.bandits.floors import with_floor

pytestmark = pytest.mark.simulation

FOLDS, BATCHES, UNITS, FLOOR, ALPHA = 10, 6, 2_000, 0.05, 0.05
LEVELS = (("ios", "web", "android"),)
CODES = np.arange(3)[:, None]
PLATFORMS = np.array([0.4, 0.4, 0.2])
#: The base rate falls while the shares move: pooled, whatever is served late would look bad.
LEVEL = np.linspace(0.1, 0.0, BATCHES)
#: Arm 1 is best on iOS, arm 2 elsewhere: .29 of everybody by platform, .25 at most with one arm for all.
BY_PLATFORM = np.array([[0.20, 0.35, 0.25], [0.20, 0.15, 0.25], [0.20, 0.15, 0.25]])
ALIKE = np.full((3, 3), 0.2)


@dataclass(frozen=True)
class Run:
    """One bandit: mean reward by batch without the level, batch of the first better policy, the last one's value."""

    rewards: np.ndarray
    first_better: int | None
    value: float
    value_se: float
    truth: float


def serve(rates: np.ndarray, seed: int) -> Run:
    """Equal shares until a policy is better, then its leaves above the floor."""
    rng, arms = np.random.default_rng(seed), rates.shape[1]
    # A context of a batch has shares of its own, so it is a piece; its batch is its phase in time.
    shape = (FOLDS, BATCHES * 3, 3, arms)
    n, mean, share = np.zeros(shape), np.zeros(shape), np.full((BATCHES * 3, arms), 1 / arms)
    now, rewards = np.full((3, arms), 1 / arms), []
    first: int | None = None
    for batch in range(BATCHES):
        rewards.append(float((PLATFORMS[:, None] * now * rates).sum()))
        for context in range(3):
            piece = 3 * batch + context
            share[piece] = now[context]
            split = np.outer(np.full(FOLDS, 1 / FOLDS), now[context])
            counts = rng.multinomial(rng.binomial(UNITS, PLATFORMS[context]), split.ravel()).reshape(
                FOLDS, arms
            )
            events = rng.binomial(counts, rates[context] + LEVEL[batch])
            n[:, piece, context] = counts
            mean[:, piece, context] = events / np.maximum(counts, 1)
        m2 = n * mean * (1 - mean)
        seen = 3 * (batch + 1)
        period = np.repeat(np.arange(batch + 1), 3)
        cells = Cells(n[:, :seen], mean[:, :seen], m2[:, :seen], share[:seen], period, LEVELS, CODES)
        found = learn(cells, depth=2, reach=1.0)
        policy = arms_of(found.leaves, CODES)
        if (lower_bounds(found, alpha=ALPHA, planned=5_000) > 0).all():
            first = batch if first is None else first
            now = with_floor(np.eye(arms)[policy], FLOOR)
    units = n.sum(axis=(0, 3)).reshape(BATCHES, 3, 3).sum(axis=1)
    truth = (units * (rates[np.arange(3), policy] + LEVEL[:, None])).sum() / units.sum()
    return Run(np.array(rewards), first, found.value, found.value_se, float(truth))


def check(runs: list[Run], nothing: list[Run]) -> None:
    """What holds of many runs: each bound is passed in fewer than one of a thousand simulations where all is right."""
    best_fixed = (PLATFORMS @ BY_PLATFORM).max()
    assert best_fixed == pytest.approx(0.25)
    found = sum(run.first_better is not None for run in runs)
    assert found >= stats.binom.isf(1 - 1e-3, len(runs), 0.9)
    # Learning costs; after it the policy earns more than the best arm for everybody ever would.
    last = np.mean([run.rewards[-1] for run in runs])
    assert last > best_fixed + 0.02
    missed = sum(
        abs(run.value - run.truth) > stats.norm.isf(ALPHA / 2) * run.value_se for run in [*runs, *nothing]
    )
    assert missed <= stats.binom.isf(1e-3, len(runs) + len(nothing), ALPHA)
    called = sum(run.first_better is not None for run in nothing)
    assert called <= stats.binom.isf(1e-3, len(nothing), ALPHA)


def test_m36_a_sample_of_contextual_bandits_earns_more_than_one_arm_for_all():
    check([serve(BY_PLATFORM, seed) for seed in range(4)], [serve(ALIKE, seed) for seed in range(4)])


@pytest.mark.slow
def test_m36_contextual_bandits_keep_their_promises():
    runs = [serve(BY_PLATFORM, seed) for seed in range(150)]
    check(runs, [serve(ALIKE, seed) for seed in range(150)])
    best_fixed = (PLATFORMS @ BY_PLATFORM).max()
    regret = np.array([(best_fixed - run.rewards).sum() for run in runs])
    # Over all batches, the learning included, nothing is lost beside knowing the best arm from the start.
    assert regret.mean() < 0
