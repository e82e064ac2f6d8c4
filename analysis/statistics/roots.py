"""Roots of many monotone functions at once, one per row."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import elementwise

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray

#: Every so many steps a bracket is halved, so that no function keeps Newton's method going.
_HALVED = 8


def rowwise_root(
    excess: Callable[[FloatArray, IntArray], FloatArray],
    low: Any,
    high: Any,
    rows: int,
    tolerance: float = 1e-10,
) -> tuple[FloatArray, BoolArray]:
    """The point at which each row's function is 0 (Chandrupatla's bracketing method).

    Args:
        excess: Takes points and the rows they belong to (a subset, while others have settled), returns the
            function's values.
        low: Left ends of the brackets, broadcastable to (rows,).
        high: Right ends.
        rows: Number of functions.
        tolerance: Absolute and relative, on the point.

    Returns:
        Points and whether the bracket held a root, both of shape (rows,).

    Examples:
        >>> square = np.array([2.0, 9.0])
        >>> x, found = rowwise_root(lambda p, r: p * p - square[r], 0.0, 10.0, 2)
        >>> x.round(6), found
        (array([1.414214, 3.      ]), array([ True,  True]))
    """
    if rows == 0:
        return np.zeros(0), np.zeros(0, dtype=np.bool_)
    bracket: Any = (np.broadcast_to(low, (rows,)), np.broadcast_to(high, (rows,)))
    labels: Any = (np.arange(float(rows)),)

    def by_label(point: Any, label: Any) -> Any:
        return excess(np.asarray(point, dtype=np.float64), np.asarray(label).astype(np.intp))

    found = elementwise.find_root(
        by_label, bracket, args=labels, tolerances={"xatol": tolerance, "xrtol": tolerance}
    )
    return np.asarray(found.x, dtype=np.float64), np.asarray(found.success, dtype=np.bool_)


def rising_root(
    excess: Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]],
    start: FloatArray,
    tolerance: float = 1e-10,
) -> FloatArray:
    """The point in [0, 1] at which each row's rising function is 0, by Newton's method kept inside of a bracket.

    Args:
        excess: Takes points and the rows they belong to (a subset, while others have settled), returns the function's
            values and slopes.
        start: Where to begin, shape (rows,), not necessarily inside.
        tolerance: Absolute, on the point.

    Returns:
        Points of shape (rows,): 0 where the function is above 0 everywhere, 1 where it is below.

    Examples:
        >>> square = np.array([0.25, 0.81, 2.0])
        >>> rising_root(lambda p, r: (p * p - square[r], 2 * p), np.array([0.1, 7.0, 0.5])).round(6)
        array([0.5, 0.9, 1. ])
    """
    point = np.where((start > 0) & (start < 1), start, 0.5)
    low, high = np.zeros(point.size), np.ones(point.size)
    at = np.arange(point.size)
    for number in itertools.count(1):
        if not at.size:
            break
        here = point[at]
        value, slope = excess(here, at)
        low[at] = np.where(value < 0, here, low[at])
        high[at] = np.where(value > 0, here, high[at])
        step = np.where(slope > 0, value / np.where(slope > 0, slope, 1.0), np.inf)
        middle = 0.5 * (low[at] + high[at])
        # Newton's point where it lies between the ends, else the middle: the bracket shrinks with every step.
        wanted = here - step
        inside = (wanted > low[at]) & (wanted < high[at]) & (number % _HALVED != 0)
        point[at] = np.where(value == 0, here, np.where(inside, wanted, middle))
        settled = (np.abs(point[at] - here) <= tolerance) | (high[at] - low[at] <= tolerance)
        at = at[~settled]
    return np.where(high <= tolerance, 0.0, np.where(low >= 1.0 - tolerance, 1.0, point))
