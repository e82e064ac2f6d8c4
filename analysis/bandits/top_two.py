"""Top-two Thompson sampling: keep testing the leader's strongest rival instead of only serving the leader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.bandits.shares import as_shares
from fairsplit.analysis.statistics.checks import as_rates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray


def top_two_probabilities(p_best: ArrayLike, beta: ArrayLike = 0.5) -> FloatArray:
    """Allocation of top-two Thompson sampling.

    A draw from the posterior names a best arm; with probability β it is served, else one draws on until
    another arm is best and serves that: ψ_i = a_i [β + (1 - β) Σ_{j≠i} a_j / (1 - a_j)].

    Args:
        p_best: Probability of being the best, shape (..., arms), two or more arms.
        beta: Share of the leader's draw, in [0, 1]; shape (...).

    Returns:
        Shares of shape (..., arms); they sum to 1. Where one arm is best for certain the rivals' order is
        unknown and they share 1 - β equally.

    Raises:
        InputError: As `as_shares`; ``out_of_range`` for beta outside [0, 1].

    Source:
        Russo (2020), "Simple Bayesian algorithms for best-arm identification", Operations Research 68(6),
        section 3.3 (top-two Thompson sampling).

    Examples:
        >>> print(top_two_probabilities([0.7, 0.2, 0.1], 0.5).round(4))
        [0.4764 0.3444 0.1792]
    """
    a = as_shares(p_best, "p_best")
    b = as_rates(beta, "beta")[..., None]
    arms = a.shape[-1]
    if arms == 1:
        return np.ones(np.broadcast_shapes(a.shape, b.shape))
    # 1 - a_j as the sum of the others: keeps its digits where a_j is close to 1.
    others = np.where(np.eye(arms, dtype=np.bool_), 0.0, a[..., None, :])
    rest = others.sum(axis=-1)
    certain = rest == 0
    odds = np.divide(a, rest, out=np.zeros_like(a), where=~certain)
    second = a * np.where(np.eye(arms, dtype=np.bool_), 0.0, odds[..., None, :]).sum(axis=-1)
    second = np.where(certain.any(axis=-1, keepdims=True), np.where(certain, 0.0, 1.0 / (arms - 1)), second)
    return b * a + (1.0 - b) * second
