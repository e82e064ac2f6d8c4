"""Beta distributions on the log-odds scale, where every density is smooth and log-concave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.best_arm import LOG_FALLS
from fairsplit.analysis.statistics.stirling import stirling_remainder

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray

#: Newton steps to find where a log density has fallen by 40; each at least halves the distance.
_NEWTON_STEPS = 80
#: Falls of the log density between which a density gets Gauss–Legendre nodes of its own.
_CUTS = np.array([1.0, 8.0, 40.0])
#: Nodes between two cuts: enough for twelve digits.
_FINE = 14


@dataclass(frozen=True, slots=True, eq=False)
class BetaNodes:
    """Quadrature over one Beta distribution per row, arrays of shape (rows, nodes).

    Attributes:
        rate: Points.
        rest: 1 - rate, without cancellation.
        weight: Probability of each; a row sums to 1.
    """

    rate: FloatArray
    rest: FloatArray
    weight: FloatArray


def log_peak(a: FloatArray, b: FloatArray) -> FloatArray:
    """Log density of logit(Beta(a, b)) at its mode log(a / b), by Stirling's formula with its remainder.

    Examples:
        >>> float(np.round(log_peak(np.array(1.0), np.array(1.0)), 6))
        -1.386294
    """
    return np.asarray(
        0.5 * (np.log(a) + np.log(b) - np.log(a + b) - np.log(2 * np.pi))
        + stirling_remainder(a + b)
        - stirling_remainder(a)
        - stirling_remainder(b)
    )


def log_fall(a: FloatArray, b: FloatArray, d: FloatArray) -> FloatArray:
    """Log density of logit(Beta(a, b)) at a distance d from its mode, relative to the mode.

    a d - (a + b) log(1 - m + m exp(d)), m = a / (a + b). Mirrored where m is above one half: only the smaller
    share's formula is free of cancellation.
    """
    mirrored = a > b
    small, large = np.minimum(a, b), np.maximum(a, b)
    step = np.where(mirrored, -d, d)
    total = small + large
    change = small / total * np.expm1(np.minimum(step, 700.0))
    near = change < 0.5
    far = np.logaddexp(np.log(large / total), np.log(small) - np.log(total) + step)
    out: FloatArray = small * step - total * np.where(near, np.log1p(np.where(near, change, 0.0)), far)
    return out


def falls(a: FloatArray, b: FloatArray, levels: FloatArray = LOG_FALLS) -> FloatArray:
    """Distances right of the mode at which the log density has fallen by the levels, shape (..., levels).

    The density is log-concave: Newton from beyond the tail's asymptote never passes the root.
    """
    aa, bb = a[..., None], b[..., None]
    d = (levels + (aa + bb) * np.log1p(bb / aa)) / bb
    # A settled element keeps its value: its last digit must not depend on what else is in the array.
    settled = np.zeros(d.shape, dtype=np.bool_)
    for _ in range(_NEWTON_STEPS):
        slope = aa * bb * np.expm1(-d) / (aa + bb * np.exp(-d))
        step = (log_fall(aa, bb, d) + levels) / slope
        d = np.where(settled, d, d - step)
        settled = settled | (np.abs(step) <= 1e-13 * d)
        if settled.all():
            break
    return d


def beta_nodes(a: FloatArray, b: FloatArray, each: int = _FINE) -> BetaNodes:
    """Nodes that hold each distribution up to where its log density has fallen by 40.

    Args:
        a: First parameters, positive, shape (rows,).
        b: Second parameters.
        each: Nodes in each of five pieces.

    Returns:
        Nodes and weights.

    Examples:
        >>> nodes = beta_nodes(np.array([2.0]), np.array([6.0]))
        >>> float(np.round((nodes.weight * nodes.rate).sum(), 9))
        0.25
    """
    place, share = np.polynomial.legendre.leggauss(each)
    centre = np.log(a) - np.log(b)
    right, left = falls(a, b, _CUTS), falls(b, a, _CUTS)
    cuts = np.concatenate([-left[:, ::-1], right], axis=-1)
    half = 0.5 * np.diff(cuts, axis=-1)[..., None]
    middle = 0.5 * (cuts[:, 1:] + cuts[:, :-1])[..., None]
    shape = (a.size, half.shape[1] * each)
    distance = (middle + half * place).reshape(shape)
    weight = (half * share).reshape(shape) * np.exp(log_fall(a[:, None], b[:, None], distance))
    y = centre[:, None] + distance
    return BetaNodes(special.expit(y), special.expit(-y), weight / weight.sum(axis=-1, keepdims=True))
