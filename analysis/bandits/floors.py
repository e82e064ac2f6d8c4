"""A floor under every arm's share: later estimates divide by shares, so none may vanish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.bandits.shares import as_shares
from fairsplit.analysis.statistics.checks import as_rates, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray


def with_floor(shares: ArrayLike, floor: ArrayLike) -> FloatArray:
    """Mix w into floor + (1 - k floor) w: every arm keeps the floor, the order stays, the sum is 1.

    Args:
        shares: Allocation, shape (..., arms), sums to 1.
        floor: Least share of an arm, in [0, 1 / arms]; shape (...).

    Returns:
        Shares of shape (..., arms).

    Raises:
        InputError: As `as_shares`; ``out_of_range`` for a floor above 1 / arms.

    Source:
        Mixture with the uniform policy, as in Exp3 (Auer et al. 2002, SIAM J. Comput. 32) with γ = k floor.

    Examples:
        >>> print(with_floor([0.9, 0.1, 0.0], 0.05).round(4))
        [0.815 0.135 0.05 ]
    """
    w = as_shares(shares, "shares")
    least = as_rates(floor, "floor")[..., None]
    arms = w.shape[-1]
    if np.any(least * arms > 1.0 + 1e-12):
        raise refuse(
            "out_of_range",
            "the floors take more than all traffic",
            "floor",
            value=least.max(),
            rule=f"≤ 1/{arms}",
        )
    out: FloatArray = least + (1.0 - arms * least) * w
    return out
