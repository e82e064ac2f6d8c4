"""Chance to be best and expected loss among independent arms, by quadrature on one common grid.

The integrands are products of distribution functions, each of which may be thousands of times narrower than
the next. So the line is cut at marks of every arm (its centre, and where its density has fallen by fixed
factors), and each piece gets Gauss–Legendre nodes: every arm is resolved on its own scale, and no sampling
noise is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Falls of the log density at which the line is cut; below exp(-40) nothing is left to integrate.
LOG_FALLS = np.array([0.5, 2.0, 6.0, 12.0, 20.0, 30.0, 40.0])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
#: Floats in one block of work: some 30 MB for each of the few arrays held at once.
_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class ArmFunctions:
    """What the quadrature needs to know of the arms at points y of shape (experiments, arms, points).

    Attributes:
        cdf: Distribution function.
        sf: Survival function, true in its own tail.
        density: Density with respect to y.
        jacobian: Derivative of the arm's value with respect to y (1 unless y is a transformed scale).
    """

    cdf: FloatArray
    sf: FloatArray
    density: FloatArray
    jacobian: FloatArray


@dataclass(frozen=True, slots=True)
class BestIntegrals:
    """Integrals over all arms.

    Attributes:
        p_best: P(arm is the best), shape (experiments, arms).
        expected_loss: E[max over arms - arm], shape (experiments, arms).
        expected_gain: E[(arm - best other arm)+], shape (experiments, arms).
    """

    p_best: FloatArray
    expected_loss: FloatArray
    expected_gain: FloatArray


def best_of(
    marks: FloatArray, functions: Callable[[FloatArray, BoolArray, slice], ArmFunctions], arms: int
) -> BestIntegrals:
    """Integrate over the maximum of independent arms.

    P(i best) = ∫ f_i Π_{j≠i} F_j, loss_i = ∫ F_i (1 - Π_{j≠i} F_j), gain_i = ∫ (1 - F_i) Π_{j≠i} F_j. All
    integrands are positive, so small losses keep their relative precision.

    Args:
        marks: Where the line is cut, shape (experiments, marks), any order.
        functions: Gives `ArmFunctions` at points (rows, 1, points) for a slice of the experiments; points with
            a false mask have no weight and may be answered anyhow.
        arms: Number of arms.

    Returns:
        `BestIntegrals`.

    Source:
        Scott (2010), Applied Stochastic Models in Business and Industry 26, eq. 3; Gauss–Legendre quadrature.

    Examples:
        Two arms, uniform on (0, 1) and on (0, 2):

        >>> def uniform(y, live, block):
        ...     width = np.array([1.0, 2.0])[None, :, None]
        ...     cdf = np.clip(y / width, 0, 1)
        ...     return ArmFunctions(cdf, 1 - cdf, (y < width) / width, np.ones_like(y))
        >>> r = best_of(np.array([[0.0, 1.0, 2.0]]), uniform, arms=2)
        >>> print(r.p_best.round(6), r.expected_loss.round(6))
        [[0.25 0.75]] [[0.583333 0.083333]]
    """
    count = marks.shape[0]
    p_best, loss, gain = (np.empty((count, arms)) for _ in range(3))
    per_row = arms * (marks.shape[1] - 1) * _NODES.size
    step = max(1, _BLOCK // per_row)
    for start in range(0, count, step):
        block = slice(start, min(start + step, count))
        cuts = np.sort(marks[block], axis=-1)
        half = 0.5 * np.diff(cuts, axis=-1)[..., None]
        middle = 0.5 * (cuts[:, 1:] + cuts[:, :-1])[..., None]
        points = (middle + half * _NODES).reshape(cuts.shape[0], 1, -1)
        weights = (half * _WEIGHTS).reshape(cuts.shape[0], 1, -1)
        f = functions(points, weights > 0, block)
        others, others_sf = _others(f.cdf, f.sf)
        p_best[block] = (weights * f.density * others).sum(axis=-1)
        loss[block] = (weights * f.jacobian * f.cdf * others_sf).sum(axis=-1)
        gain[block] = (weights * f.jacobian * f.sf * others).sum(axis=-1)
    # The masses beyond exp(-40) and rounding are shared out, so that the chances sum to 1 exactly.
    return BestIntegrals(p_best / p_best.sum(axis=-1, keepdims=True), loss, gain)


def _others(cdf: FloatArray, sf: FloatArray) -> tuple[FloatArray, FloatArray]:
    """For each arm Π over the other arms of F, and 1 minus it without cancellation; axis 1 is the arms."""
    others, missing = np.ones_like(cdf), np.zeros_like(sf)
    arms = cdf.shape[1]
    before, before_sf = np.ones_like(cdf[:, 0]), np.zeros_like(sf[:, 0])
    after, after_sf = before.copy(), before_sf.copy()
    # 1 - ab = (1 - a) + a (1 - b): sums of positive terms only.
    for i in range(arms):
        missing[:, i] = before_sf
        others[:, i] = before
        before_sf = before_sf + before * sf[:, i]
        before = before * cdf[:, i]
    for i in reversed(range(arms)):
        missing[:, i] += others[:, i] * after_sf
        others[:, i] *= after
        after_sf = after_sf + after * sf[:, i]
        after = after * cdf[:, i]
    return others, missing
