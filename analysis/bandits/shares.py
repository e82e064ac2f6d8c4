"""What every allocation is checked for: shares in [0, 1] that sum to 1 over the arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.checks import as_rates, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray

#: Rounding that is forgiven in a sum of shares.
_ROUNDING = 1e-6


def as_shares(value: ArrayLike, name: str) -> FloatArray:
    """Shares over the last axis.

    Args:
        value: Numbers in [0, 1], shape (..., arms).
        name: The argument's name, for the message.

    Returns:
        The same as float64, scaled to sum to 1 exactly.

    Raises:
        InputError: As `as_rates`; ``shape_mismatch`` without an axis of arms; ``out_of_range`` where the sum
            is not 1 up to rounding.

    Examples:
        >>> as_shares([0.25, 0.75], "shares")
        array([0.25, 0.75])
    """
    shares = as_rates(value, name)
    if shares.ndim == 0:
        raise refuse("shape_mismatch", "no axis of arms", name, value=shares.shape, rule="(..., arms)")
    total = shares.sum(axis=-1, keepdims=True)
    if np.any(np.abs(total - 1.0) > _ROUNDING):
        worst = total.ravel()[np.abs(total - 1.0).argmax()]
        raise refuse("out_of_range", "shares do not sum to 1", name, value=worst, rule="a sum of 1")
    out: FloatArray = shares / total
    return out
