"""Epsilon-greedy allocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.statistics.checks import as_floats, as_rates, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray


def epsilon_greedy(means: ArrayLike, epsilon: ArrayLike) -> FloatArray:
    """(1 - ε) on the best arm plus ε / k on every arm; equal best arms share the (1 - ε).

    Args:
        means: Mean reward of each arm, shape (..., arms).
        epsilon: Share of exploration, in [0, 1]; shape (...).

    Returns:
        Shares of shape (..., arms); they sum to 1.

    Raises:
        InputError: Not finite numbers, epsilon outside [0, 1], no axis of arms.

    Source:
        Sutton & Barto (2018), Reinforcement Learning, 2.2.

    Examples:
        >>> print(epsilon_greedy([0.1, 0.3, 0.2], 0.3).round(3))
        [0.1 0.8 0.1]
    """
    m = as_floats(means, "means")
    if m.ndim == 0:
        raise refuse("shape_mismatch", "no axis of arms", "means", value=m.shape, rule="(..., arms)")
    e = as_rates(epsilon, "epsilon")[..., None]
    best = m == m.max(axis=-1, keepdims=True)
    out: FloatArray = (1.0 - e) * best / best.sum(axis=-1, keepdims=True) + e / m.shape[-1]
    return out
