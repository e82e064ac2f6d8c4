"""Upper tail of the chi-square law in logarithms, true where the probability underflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray

#: Below this a probability's logarithm is computed directly instead of from the probability.
_TINY = 1e-290
#: Terms of the continued fraction; so far out it settles within some dozens.
_TERMS = 200


@quiet
def chi2_log_sf(statistic: FloatArray, df: FloatArray) -> FloatArray:
    """Natural logarithm of P(chi-square with df degrees of freedom > statistic).

    Args:
        statistic: Non-negative numbers, any shape.
        df: Positive degrees of freedom, same shape or one that broadcasts.

    Returns:
        Logarithms, the broadcast shape; minus infinity for an infinite statistic.

    Source:
        Legendre's continued fraction of the incomplete gamma function, DLMF 8.9.2.

    Examples:
        >>> print(np.round(chi2_log_sf(np.array([3.841459, 40000.0]), np.array([1.0, 1.0])), 6))
        [-2.99573200e+00 -2.00055241e+04]
    """
    x, a = np.broadcast_arrays(np.asarray(statistic) / 2.0, np.asarray(df) / 2.0)
    p = special.gammaincc(a, x)
    fraction = np.ones_like(x)
    for n in range(_TERMS, 0, -1):
        fraction = x + 2 * n + 1 - a - (n + 1) * (n + 1 - a) / fraction
    fraction = x + 1 - a - (1 - a) / fraction
    far = a * np.log(x) - x - special.gammaln(a) - np.log(fraction)
    out: FloatArray = np.where(np.isposinf(x), -np.inf, np.where(p < _TINY, far, np.log(p)))
    return out
