"""Chance to be best among arms whose posteriors are correlated: seeded quasi-Monte-Carlo, for want of quadrature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_floats, refuse
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray

#: Independent scramblings: their spread is the error that is reported.
_SCRAMBLINGS = 8
#: Points of one scrambling, a power of two as Sobol' needs.
_POINTS = 2**12
#: Floats in one block of work.
_BLOCK = 4_000_000
#: An eigenvalue may be this much below 0, relative to the largest, and still be rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CorrelatedArms:
    """Chances among all arms; the last axis is the arms.

    Attributes:
        p_best: P(arm is the best); sums to 1.
        p_best_error: Standard error of the integration.
        expected_loss: E[max over arms - arm].
        expected_loss_error: Standard error of the integration.
    """

    p_best: FloatArray
    p_best_error: FloatArray
    expected_loss: FloatArray
    expected_loss_error: FloatArray


@quiet
def normal_best_correlated(mean: ArrayLike, covariance: ArrayLike, *, seed: int) -> CorrelatedArms:
    """Chance to be best and expected loss among k arms with a joint Normal posterior.

    For effects against one shared control, or arms that were adjusted together. Independent arms have
    `normal_best`, which needs no draws.

    Args:
        mean: Posterior means, shape (..., arms).
        covariance: Posterior covariances, shape (..., arms, arms), positive semidefinite.
        seed: Seed of the scramblings: the same seed gives the same numbers.

    Returns:
        `CorrelatedArms` of shape (..., arms), with 8 scrambled Sobol' sequences of 4,096 points.

    Raises:
        InputError: Not finite numbers; ``shape_mismatch``; ``out_of_range`` for a matrix that is no
            covariance.

    Source:
        Owen (1997), Ann. Stat. 25 (scrambled nets and their error); Genz & Bretz (2009), 4.2.

    Examples:
        >>> r = normal_best_correlated([0.0, 0.0, 0.0], np.eye(3), seed=1)
        >>> print(r.p_best.round(3), r.expected_loss.round(3))
        [0.333 0.333 0.333] [0.846 0.846 0.846]
    """
    from scipy.stats import qmc  # noqa: PLC0415 - half a second, which only correlated posteriors need

    m, c = as_floats(mean, "mean"), as_floats(covariance, "covariance")
    arms = m.shape[-1] if m.ndim else 0
    if arms == 0 or c.shape[-2:] != (arms, arms):
        raise refuse("shape_mismatch", "no covariance of the arms", "covariance", value=c.shape)
    shape = np.broadcast_shapes(m.shape[:-1], c.shape[:-2])
    root = np.broadcast_to(_root(c), (*shape, arms, arms)).reshape(-1, arms, arms)
    centre = np.broadcast_to(m, (*shape, arms)).reshape(-1, arms)
    centre = centre - centre[:, :1]
    best = np.empty((_SCRAMBLINGS, *centre.shape))
    loss = np.empty_like(best)
    step = max(1, _BLOCK // (_POINTS * arms))
    for turn in range(_SCRAMBLINGS):
        uniform = qmc.Sobol(arms, rng=np.random.default_rng([seed, turn])).random(_POINTS)
        normal = special.ndtri(np.clip(uniform, 1e-16, 1 - 1e-16))
        for start in range(0, centre.shape[0], step):
            block = slice(start, start + step)
            draws = centre[block, None] + normal @ np.swapaxes(root[block], -1, -2)
            top = draws.max(axis=-1, keepdims=True)
            wins = draws == top
            best[turn, block] = (wins / wins.sum(axis=-1, keepdims=True)).mean(axis=1)
            loss[turn, block] = (top - draws).mean(axis=1)
    means = [part.mean(axis=0).reshape(*shape, arms) for part in (best, loss)]
    errors = [
        (part.std(axis=0, ddof=1) / np.sqrt(_SCRAMBLINGS)).reshape(*shape, arms) for part in (best, loss)
    ]
    return CorrelatedArms(means[0], errors[0], means[1], errors[1])


def _root(covariance: FloatArray) -> FloatArray:
    """A matrix L with L L' = covariance, also where it is singular."""
    scale = np.abs(covariance).max(axis=(-1, -2), keepdims=True)
    if np.any(np.abs(covariance - np.swapaxes(covariance, -1, -2)) > _ROUNDING * scale):
        raise refuse("out_of_range", "not symmetric", "covariance", rule="a covariance matrix")
    values, vectors = np.linalg.eigh(covariance)
    if np.any(values < -_ROUNDING * scale[..., 0]):
        raise refuse("out_of_range", "a negative variance", "covariance", value=values.min(), rule="≥ 0")
    out: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    return out
