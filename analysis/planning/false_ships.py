"""How often a Bayesian plan ships an arm that does nothing: looks are not free, and the plan says what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.bayes_normal import normal_best

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.experiment_plan import Setup

_RUNS = 1_000
_SEED = 20260105


def false_ships(setup: Setup) -> float:
    """The share of experiments without any effect that ship an arm on one of their looks, simulated with a fixed seed.

    An arm is shipped once its chance to be the best of all, with flat priors, reaches the winner probability. The means
    of the arms are those of as many normal values at each of the equally spaced looks.

    Args:
        setup: Arms, ratio, looks and winner probability of the plan.
    """
    rng = np.random.default_rng(_SEED)
    looks, sizes = int(setup.looks), np.array([1.0, *[setup.ratio] * setup.arms])
    steps = rng.normal(0, np.sqrt(sizes / looks), (_RUNS, looks, sizes.size))
    so_far = sizes * np.arange(1, looks + 1)[:, None] / looks
    best = normal_best(steps.cumsum(axis=1) / so_far, np.sqrt(1 / so_far))
    shipped = best.p_best[..., 1:] >= setup.winner_probability
    return float(shipped.any(axis=(1, 2)).mean())
