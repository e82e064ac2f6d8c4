"""The next weights of a batch: an algorithm's shares, held above a floor and moved by at most a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from scipy import special

from fairsplit.analysis.bandits.epsilon_greedy import epsilon_greedy
from fairsplit.analysis.bandits.floors import with_floor
from fairsplit.analysis.bandits.shares import as_shares
from fairsplit.analysis.bandits.thompson import thompson_beta, thompson_normal
from fairsplit.analysis.bandits.top_two import top_two_probabilities
from fairsplit.analysis.bandits.ucb import ucb1
from fairsplit.analysis.statistics.bayes_correlated import normal_best_correlated
from fairsplit.analysis.statistics.checks import as_choice, as_rates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray

Algorithm: TypeAlias = Literal["thompson", "top_two", "ucb", "epsilon_greedy"]
ALGORITHMS = ("thompson", "top_two", "ucb", "epsilon_greedy")


def chance_of_best(n: FloatArray, mean: FloatArray, m2: FloatArray, *, bernoulli: bool) -> FloatArray:
    """Each arm's probability of having the highest mean reward, exactly (by quadrature).

    Args:
        n: Units whose reward is known, shape (..., arms); two or more for normal rewards.
        mean: Their mean reward.
        m2: Their squared deviations from it; for normal rewards positive.
        bernoulli: Whether rewards are 0 or 1: Beta posteriors from a uniform prior, else Normal ones from a flat prior.

    Returns:
        Probabilities of shape (..., arms).

    Raises:
        InputError: As `thompson_beta` and `thompson_normal`.

    Examples:
        >>> n, mean = np.array([100.0, 100.0, 100.0]), np.array([0.2, 0.25, 0.3])
        >>> print(chance_of_best(n, mean, n * mean * (1 - mean), bernoulli=True).round(4))
        [0.0313 0.2063 0.7625]
    """
    if bernoulli:
        return thompson_beta(np.rint(n * mean), n)
    return thompson_normal(mean, np.sqrt(m2 / (n - 1) / n))


def chance_by_contrasts(diff: FloatArray, between: FloatArray, *, seed: int) -> FloatArray:
    """Each arm's probability of having the highest mean reward, from differences to one of them.

    Args:
        diff: Mean reward of each arm minus that of the arm of reference, whose own is 0; shape (arms,).
        between: Their covariance, shape (arms, arms); 0 for the arm of reference.
        seed: Of the integration, which three arms or more need.

    Returns:
        Probabilities of shape (arms,), under Normal posteriors from flat priors.

    Raises:
        InputError: As `normal_best_correlated`.

    Examples:
        >>> chance_by_contrasts(np.array([0.0, 1.96]), np.array([[0.0, 0.0], [0.0, 1.0]]), seed=1).round(3)
        array([0.025, 0.975])
    """
    if diff.size == 2:
        gap = diff[1] - diff[0]
        z = gap / np.sqrt(between[0, 0] + between[1, 1] - 2 * between[0, 1])
        return special.ndtr(np.array([-z, z]))
    return normal_best_correlated(diff, between, seed=seed).p_best


def batch_shares(
    algorithm: Algorithm,
    p_best: FloatArray,
    n: FloatArray,
    mean: FloatArray,
    m2: FloatArray,
    *,
    epsilon: float = 0.0,
) -> FloatArray:
    """What an algorithm gives each arm of the next batch.

    UCB has one favourite a batch; its bonus is that of UCB1 for rewards of the pooled standard deviation σ, 2σ √(2 ln N
    / n), which for rewards in [0, 1] is UCB1's own at the most.

    Args:
        algorithm: One of `ALGORITHMS`.
        p_best: From `chance_of_best`, shape (..., arms).
        n: Units whose reward is known, same shape.
        mean: Their mean reward.
        m2: Their squared deviations from it.
        epsilon: Share that goes to all arms alike; epsilon-greedy only.

    Returns:
        Shares of shape (..., arms).

    Raises:
        InputError: ``unknown_choice``, and as the algorithms.

    Examples:
        >>> n, mean = np.array([100.0, 10.0]), np.array([0.5, 0.4])
        >>> print(batch_shares("ucb", np.array([0.7, 0.3]), n, mean, n * mean * (1 - mean)))
        [0. 1.]
    """
    as_choice(algorithm, "algorithm", ALGORITHMS)
    if algorithm == "thompson":
        return p_best
    if algorithm == "top_two":
        return top_two_probabilities(p_best)
    if algorithm == "epsilon_greedy":
        return epsilon_greedy(mean, epsilon)
    spread = np.sqrt(m2.sum(axis=-1) / np.maximum(n.sum(axis=-1) - n.shape[-1], 1.0))
    favourite = ucb1(mean, n, 2.0 * spread).choose
    return np.asarray(np.arange(n.shape[-1]) == favourite[..., None], dtype=np.float64)


def stepped(
    current: ArrayLike, wanted: ArrayLike, *, floor: ArrayLike, max_step: ArrayLike = 1.0
) -> FloatArray:
    """From the current shares towards the wanted ones above a floor, no share by more than the step.

    The way is straight, so shares that respected the floor before respect it after.

    Args:
        current: Shares in force, shape (..., arms).
        wanted: An algorithm's shares, same shape.
        floor: Least share of an arm.
        max_step: Most by which a share changes, in [0, 1].

    Returns:
        Shares of shape (..., arms).

    Raises:
        InputError: As `with_floor`; ``out_of_range`` for a step outside [0, 1].

    Examples:
        >>> print(stepped([0.5, 0.5], [1.0, 0.0], floor=0.05, max_step=0.2))
        [0.7 0.3]
    """
    here, there = as_shares(current, "current"), with_floor(wanted, floor)
    step = as_rates(max_step, "max_step")
    largest = np.abs(there - here).max(axis=-1)
    part = np.where(largest > step, step / np.where(largest > 0, largest, 1.0), 1.0)
    out: FloatArray = here + part[..., None] * (there - here)
    return out
