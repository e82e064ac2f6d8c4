"""Miettinen and Nurminen's score intervals of two proportions: restricted estimates and root search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import elementwise

from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray

#: Enough for safeguarded Newton steps from anywhere in the bracket to full precision.
_STEPS = 60


@quiet
def restricted_rate(
    x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray, shift: FloatArray
) -> FloatArray:
    """The control's maximum-likelihood rate when the treatment's rate is the control's plus `shift`.

    The one root in the feasible range of the likelihood cubic (Miettinen and Nurminen 1985, eq. 8), by
    Newton's method inside a bracket: the closed form with cosines loses rates of 1e-7 to cancellation.

    Args:
        x_c: Successes of the control, any shape.
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        shift: Difference of rates, treatment minus control.

    Returns:
        Rates in [max(0, -shift), min(1, 1 - shift)].

    Examples:
        >>> args = (np.array(v) for v in (10.0, 100.0, 20.0, 100.0, 0.0))
        >>> restricted_rate(*args).round(12)
        np.float64(0.15)
    """
    total, x = n_c + n_t, x_c + x_t
    l3 = total
    l2 = (n_t + 2.0 * n_c) * shift - total - x
    l1 = (n_c * shift - total - 2.0 * x_c) * shift + x
    l0 = x_c * shift * (1.0 - shift)
    low, high = np.maximum(0.0, -shift), np.minimum(1.0, 1.0 - shift)
    p = np.clip((x_c + x_t - n_t * shift) / total, low, high)
    # A settled element keeps its value: its last digit must not depend on what else is in the array.
    settled = np.zeros(np.shape(p), dtype=np.bool_)
    for _ in range(_STEPS):
        value = ((l3 * p + l2) * p + l1) * p + l0
        low, high = np.where(value > 0, p, low), np.where(value > 0, high, p)
        slope = (3.0 * l3 * p + 2.0 * l2) * p + l1
        step = p - value / slope
        inside = (step > low) & (step < high)
        following = np.where(settled, p, np.where(inside, step, 0.5 * (low + high)))
        settled = settled | (np.abs(following - p) <= 1e-15 * np.abs(p))
        p = following
        if np.all(settled):
            break
    return p


@quiet
def difference_statistic(
    x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray, shift: FloatArray
) -> FloatArray:
    """The score statistic of the hypothesis that the difference of rates is `shift`.

    Examples:
        >>> args = (np.array(v) for v in (1.0, 50.0, 8.0, 52.0, 0.0))
        >>> difference_statistic(*args).round(3)
        np.float64(2.371)
    """
    rate = restricted_rate(x_c, n_c, x_t, n_t, shift)
    other = np.clip(rate + shift, 0.0, 1.0)
    total = n_c + n_t
    variance = (other * (1.0 - other) / n_t + rate * (1.0 - rate) / n_c) * total / (total - 1.0)
    distance = x_t / n_t - x_c / n_c - shift
    return np.where(distance == 0, 0.0, distance / np.sqrt(np.maximum(variance, 0.0)))


@quiet
def ratio_statistic(
    x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray, ratio: FloatArray
) -> FloatArray:
    """The score statistic of the hypothesis that the ratio of rates is `ratio`.

    Examples:
        >>> args = (np.array(v) for v in (1.0, 50.0, 8.0, 52.0, 1.0))
        >>> ratio_statistic(*args).round(3)
        np.float64(2.371)
    """
    total = n_c + n_t
    a = total * ratio
    b = n_t * ratio + x_t + n_c + x_c * ratio
    c = x_t + x_c
    rate = 2.0 * c / (b + np.sqrt(np.maximum(b**2 - 4.0 * a * c, 0.0)))
    other = np.clip(rate * ratio, 0.0, 1.0)
    variance = (other * (1.0 - other) / n_t + ratio**2 * rate * (1.0 - rate) / n_c) * total / (total - 1.0)
    distance = x_t / n_t - ratio * x_c / n_c
    return np.where(distance == 0, 0.0, distance / np.sqrt(np.maximum(variance, 0.0)))


@quiet
def difference_interval(
    x_c: FloatArray,
    n_c: FloatArray,
    x_t: FloatArray,
    n_t: FloatArray,
    *,
    quantile: FloatArray,
    wanted: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """All differences whose score statistic is within the quantile.

    Args:
        x_c: Successes of the control, one common shape for all.
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        quantile: Critical value.
        wanted: Elements to compute; the others are NaN.

    Returns:
        Lower and upper ends in [-1, 1].

    Examples:
        >>> args = [np.array(v) for v in (1.0, 50.0, 8.0, 52.0)]
        >>> low, high = difference_interval(*args, quantile=np.array(1.96), wanted=np.array(True))
        >>> low.round(3), high.round(3)
        (np.float64(0.029), np.float64(0.259))
    """
    low, high = np.full(quantile.shape, np.nan), np.full(quantile.shape, np.nan)
    if np.any(wanted):
        args = tuple(v[wanted] for v in (x_c, n_c, x_t, n_t))
        q = quantile[wanted]
        diff = args[2] / args[3] - args[0] / args[1]
        low[wanted] = _root(difference_statistic, (-np.ones_like(diff), diff), q, args)
        high[wanted] = _root(difference_statistic, (diff, np.ones_like(diff)), -q, args)
    return low, high


@quiet
def ratio_interval(
    x_c: FloatArray,
    n_c: FloatArray,
    x_t: FloatArray,
    n_t: FloatArray,
    *,
    quantile: FloatArray,
    wanted: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """All ratios of rates whose score statistic is within the quantile.

    Args:
        x_c: Successes of the control, one common shape for all.
        n_c: Units of the control.
        x_t: Successes of the treatment.
        n_t: Units of the treatment.
        quantile: Critical value.
        wanted: Elements to compute; the others are NaN.

    Returns:
        Lower end (0 where the treatment has no success) and upper end (infinity where the control has none).

    Examples:
        >>> args = [np.array(v) for v in (1.0, 50.0, 8.0, 52.0)]
        >>> low, high = ratio_interval(*args, quantile=np.array(1.96), wanted=np.array(True))
        >>> low.round(2), high.round(1)
        (np.float64(1.32), np.float64(47.0))
    """
    low, high = np.full(quantile.shape, np.nan), np.full(quantile.shape, np.nan)
    if np.any(wanted):
        args = tuple(v[wanted] for v in (x_c, n_c, x_t, n_t))
        q = quantile[wanted]
        # Searched in logarithms, half an event standing in where an arm has none.
        middle = np.log(np.maximum(args[2], 0.5) / args[3]) - np.log(np.maximum(args[0], 0.5) / args[1])
        below, above = np.full_like(middle, -80.0), np.full_like(middle, 80.0)
        start = np.where(args[0] == 0, above, middle)
        end = np.where(args[2] == 0, below, middle)
        lower = _root(_log_ratio_statistic, (below, start), q, args)
        upper = _root(_log_ratio_statistic, (end, above), -q, args)
        low[wanted] = np.where(args[2] == 0, 0.0, np.exp(lower))
        high[wanted] = np.where(args[0] == 0, np.inf, np.exp(upper))
    return low, high


def _log_ratio_statistic(
    x_c: FloatArray, n_c: FloatArray, x_t: FloatArray, n_t: FloatArray, log_ratio: FloatArray
) -> FloatArray:
    return ratio_statistic(x_c, n_c, x_t, n_t, np.exp(log_ratio))


def _root(
    statistic: Callable[..., FloatArray],
    bracket: tuple[FloatArray, FloatArray],
    target: FloatArray,
    counts: tuple[FloatArray, ...],
) -> FloatArray:
    """Where a decreasing statistic takes its target; the nearer end where it does not inside the bracket."""

    def gap(x: FloatArray, goal: FloatArray, *args: FloatArray) -> FloatArray:
        return statistic(*args, x) - goal

    result = elementwise.find_root(
        gap, bracket, args=(target, *counts), tolerances={"xrtol": 1e-14, "xatol": 0.0}
    )
    at_low, at_high = (np.abs(f) for f in result.f_bracket)
    fallback = np.where(at_low <= at_high, result.bracket[0], result.bracket[1])
    root: FloatArray = np.where(result.success, result.x, fallback)
    return root
