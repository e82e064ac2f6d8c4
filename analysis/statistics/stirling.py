"""What Stirling's formula leaves out of log-gamma: lets huge Beta and Dirichlet terms cancel on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray

_HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)
#: From here on five terms of the series are exact to float64.
_SERIES_FROM = 15.0


def stirling_remainder(x: FloatArray) -> FloatArray:
    """``log Γ(x) - [(x - 1/2) log x - x + log(2π)/2]``, to full precision for any x > 0.

    Differences of log-gamma lose digits when the argument is large (log Γ(1e12) = 2.7e13 has an error of
    0.004). Written with the remainder, the large parts cancel algebraically and only this small term is left.

    Args:
        x: Positive numbers, any shape.

    Returns:
        The remainder, same shape; about ``1 / (12 x)``.

    Source:
        Abramowitz & Stegun (1964), 6.1.40–6.1.41.

    Examples:
        >>> print(np.round(stirling_remainder(np.array([0.5, 1.0, 100.0])), 9))
        [0.15342641 0.08106147 0.00083333]
    """
    big = np.maximum(x, _SERIES_FROM)
    inverse = 1.0 / big
    square = inverse * inverse
    series = inverse * (
        1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))
    )
    small = np.minimum(x, _SERIES_FROM)
    direct = special.gammaln(small) - ((small - 0.5) * np.log(small) - small + _HALF_LOG_TWO_PI)
    return np.where(x >= _SERIES_FROM, series, direct)


def entropy_term(d: FloatArray) -> FloatArray:
    """``(1 + d) log(1 + d) - d`` for d ≥ -1 without cancellation near 0.

    Args:
        d: Relative deviation, any shape.

    Returns:
        Non-negative values, about ``d² / 2``.

    Examples:
        >>> print(entropy_term(np.array([-1.0, 0.0, 1e-9])))
        [1.e+00 0.e+00 5.e-19]
    """
    small = np.where(np.abs(d) < 1e-2, d, 0.0)
    series = small**2 * (
        1 / 2 - small * (1 / 6 - small * (1 / 12 - small * (1 / 20 - small * (1 / 30 - small / 42))))
    )
    return np.where(np.abs(d) < 1e-2, series, special.xlog1py(1.0 + d, d) - d)
