"""Roots of many monotone functions at once, one per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import elementwise

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray


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
