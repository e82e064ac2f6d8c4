"""Thompson sampling's allocation, computed instead of sampled: each arm's probability of being the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairsplit.analysis.statistics.bayes_beta import UNIFORM_PRIOR, beta_best
from fairsplit.analysis.statistics.bayes_normal import normal_best

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray


def thompson_beta(x: ArrayLike, n: ArrayLike, *, prior: ArrayLike = UNIFORM_PRIOR) -> FloatArray:
    """Allocation for rates: P(arm has the highest rate) under Beta posteriors.

    A unit that Thompson sampling serves draws once from every posterior and takes the largest; over many
    units the arms get exactly these shares. In batch the shares are what is exported.

    Args:
        x: Successes, shape (..., arms).
        n: Trials, same shape; an arm without trials keeps its prior.
        prior: Beta prior [a, b]; leading axes broadcast to (..., arms).

    Returns:
        Shares of shape (..., arms); they sum to 1.

    Raises:
        InputError: As `beta_best`.

    Source:
        Thompson (1933), Biometrika 25; Scott (2010), "A modern Bayesian look at the multi-armed bandit", eq.
        3.

    Examples:
        >>> print(thompson_beta([20, 25, 30], [100, 100, 100]).round(4))
        [0.0313 0.2063 0.7625]
    """
    return beta_best(x, n, prior=prior).p_best


def thompson_normal(mean: ArrayLike, std_error: ArrayLike) -> FloatArray:
    """Allocation for means: P(arm has the highest mean) under Normal posteriors.

    Args:
        mean: Posterior means, shape (..., arms).
        std_error: Posterior standard deviations; positive.

    Returns:
        Shares of shape (..., arms); they sum to 1.

    Raises:
        InputError: As `normal_best`.

    Source:
        Scott (2010), eq. 3, with Normal posteriors.

    Examples:
        >>> print(thompson_normal([1.0, 1.2], [0.1, 0.1]).round(4))
        [0.0786 0.9214]
    """
    return normal_best(mean, std_error).p_best
