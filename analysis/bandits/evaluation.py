"""What adaptively collected data say: adaptively weighted inverse-probability estimates with intervals.

A bandit gives more units to the arm that looks good, so an arm's plain mean is biased towards where it was
lucky, and its t interval does not cover. Scores weighted by the *known* shares are unbiased at every unit;
weighting the units keeps their sum near the Normal law.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from fairsplit.analysis.bandits.shares import as_shares
from fairsplit.analysis.statistics.checks import as_choice, as_floats, as_level, refuse
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons
from fairsplit.analysis.statistics.tails import infer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray, IntArray, StatusArray

Weighting: TypeAlias = Literal["uniform", "constant_allocation", "two_point"]
WEIGHTINGS = ("uniform", "constant_allocation", "two_point")
#: Rate α at which a losing arm's share is taken to fall as t^-α in the two-point weights.
DECAY = 0.5


@dataclass(frozen=True, slots=True)
class AdaptiveEstimates:
    """Estimates of arms, or of contrasts with a control; the last axis is the arms.

    Attributes:
        estimate: Mean reward of the arm, or its difference from the control's.
        se: Standard error; NaN for the control's contrast with itself.
        statistic: estimate / se.
        p_value: Two-sided p-value of estimate = 0.
        ci_low: Lower bound of the confidence interval.
        ci_high: Upper bound.
        status: `Reason` codes: ``insufficient_sample`` (under two units), ``no_exposure`` (the arm never had
            a share or was never served), ``zero_variance``.
    """

    estimate: FloatArray
    se: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class AdaptiveScores:
    """Unbiased scores of every unit for every arm, with their evaluation weights.

    Attributes:
        scores: Shape (..., units, arms); the mean of a column is an arm's mean reward.
        weights: Evaluation weights h, same shape.
        served: Whether each arm was ever served, shape (..., arms).
    """

    scores: FloatArray
    weights: FloatArray
    served: Any


def logged(arms: ArrayLike, rewards: ArrayLike, shares: ArrayLike) -> tuple[IntArray, FloatArray, FloatArray]:
    """The checked log of a bandit.

    Args:
        arms: Position of the arm that each unit got, shape (..., units).
        rewards: Its reward, same shape.
        shares: Probability of every arm at that moment, shape (..., units, arms).

    Returns:
        The three as arrays.

    Raises:
        InputError: ``shape_mismatch``, ``out_of_range`` (unknown arm, a unit in an arm of share 0),
            ``not_whole``, and as `as_shares`.

    Examples:
        >>> logged([1], [2.0], [[0.5, 0.5]])[0]
        array([1])
    """
    y = as_floats(rewards, "rewards")
    e = as_shares(shares, "shares")
    w = np.asarray(arms)
    if w.dtype.kind not in "iu":
        raise refuse("not_whole", "arms are not positions", "arms", value=w.dtype, rule="integers from 0")
    if w.shape != y.shape or e.shape[:-1] != y.shape or y.ndim == 0:
        raise refuse(
            "shape_mismatch",
            "arms, rewards and shares do not fit together",
            "arms, rewards, shares",
            value=f"{w.shape}, {y.shape}, {e.shape}",
            rule="(..., units), (..., units), (..., units, arms)",
        )
    if w.size and (w.min() < 0 or w.max() >= e.shape[-1]):
        raise refuse("out_of_range", "no such arm", "arms", value=w.max(), rule=f"0 to {e.shape[-1] - 1}")
    given = np.take_along_axis(e, w[..., None], axis=-1)
    if np.any(given == 0):
        raise refuse(
            "out_of_range", "a unit in an arm of share 0", "shares", value=0, rule="the shares in force"
        )
    return w.astype(np.int64), y, e


def _before(values: FloatArray) -> FloatArray:
    """Sums over the units before each unit (axis -2)."""
    return np.asarray(np.cumsum(values, axis=-2) - values)


@quiet
def adaptive_scores(
    arms: ArrayLike,
    rewards: ArrayLike,
    shares: ArrayLike,
    *,
    augmented: bool = True,
    weighting: Weighting = "two_point",
) -> AdaptiveScores:
    """Scores Γ_t(a) = 1{W_t = a} Y_t / e_t(a) + (1 - 1{W_t = a} / e_t(a)) m_t(a) and their weights h_t(a).

    m_t(a) is the mean of the arm's rewards before unit t (0 before its first), or 0 throughout if not
    augmented.
    Weights: ``uniform`` h = 1; ``constant_allocation`` h = √e; ``two_point`` h = √(e · stick) with the
    stick-breaking shares of a rate that is either near 1 or falling as t^-1/2.

    Args:
        arms: Position of the arm that each unit got, in the order of time, shape (..., units).
        rewards: Its reward, same shape.
        shares: Probability of every arm at that moment, shape (..., units, arms), fixed before the unit came.
        augmented: AIPW if true, IPW if false.
        weighting: One of ``uniform``, ``constant_allocation``, ``two_point``.

    Returns:
        `AdaptiveScores`.

    Raises:
        InputError: ``shape_mismatch``, ``out_of_range`` (unknown arm, a unit in an arm of share 0),
            ``not_whole``, ``unknown_choice``, and as `as_shares`.

    Source:
        Hadad, Hirshberg, Zhan, Wager & Athey (2021), "Confidence intervals for policy evaluation in adaptive
        experiments", PNAS 118(15), eq. 5, 11, 15 and 18.

    Examples:
        >>> s = adaptive_scores([0, 1], [2.0, 3.0], [[0.5, 0.5], [0.2, 0.8]], weighting="uniform")
        >>> print(s.scores)
        [[4.   0.  ]
         [2.   3.75]]
    """
    as_choice(weighting, "weighting", WEIGHTINGS)
    w, y, e = logged(arms, rewards, shares)
    served = w[..., None] == np.arange(e.shape[-1])
    inverse = np.divide(served, e, out=np.zeros_like(e), where=served)
    scores = inverse * y[..., None]
    if augmented:
        pulls = _before(served.astype(np.float64))
        sums = _before(np.where(served, y[..., None], 0.0))
        scores = scores + (1.0 - inverse) * sums / np.maximum(pulls, 1.0)
    return AdaptiveScores(scores, _evaluation_weights(e, weighting), served.any(axis=-2))


def _evaluation_weights(e: FloatArray, weighting: Weighting) -> FloatArray:
    if weighting == "uniform":
        return np.ones_like(e)
    if weighting == "constant_allocation":
        return np.sqrt(e)
    units = e.shape[-2]
    t = np.arange(1.0, units + 1)[:, None]
    falling = (1 - DECAY) / ((1 - DECAY) + units * (t / units) ** DECAY - t)
    lasting = 1.0 / (1.0 + units - t)
    rate = np.clip((1 - e) * falling + e * lasting, 0.0, 1.0)
    # Stick-breaking: what earlier units left, times the rate.
    left = np.cumprod(1.0 - rate, axis=-2)
    left = np.concatenate([np.ones_like(left[..., :1, :]), left[..., :-1, :]], axis=-2)
    out: FloatArray = np.sqrt(rate * left * e)
    return out


@quiet
def adaptive_means(scores: AdaptiveScores, *, alpha: ArrayLike = 0.05) -> AdaptiveEstimates:
    """Mean reward of each arm: Q = Σ h Γ / Σ h, variance Σ h² (Γ - Q)² / (Σ h)².

    Args:
        scores: From `adaptive_scores`.
        alpha: Two-sided level.

    Returns:
        `AdaptiveEstimates` of shape (..., arms), Normal law.

    Raises:
        InputError: alpha outside (0, 1).

    Source:
        Hadad et al. (2021), eq. 5 and theorem 2.

    Examples:
        >>> s = adaptive_scores([0, 1, 0, 1], [1.0, 3.0, 2.0, 5.0], [[0.5, 0.5]] * 4, weighting="uniform")
        >>> r = adaptive_means(s)
        >>> print(r.estimate, r.se.round(4))
        [1.875 4.   ] [0.3698 1.3693]
    """
    part, estimate = _centred(scores)
    status = _status(scores, part)
    return _estimates(estimate, np.sqrt((part**2).sum(axis=-2)), status, alpha)


@quiet
def adaptive_contrasts(
    scores: AdaptiveScores, *, control: int = 0, alpha: ArrayLike = 0.05
) -> AdaptiveEstimates:
    """Difference of each arm's mean reward from the control's.

    Args:
        scores: From `adaptive_scores`.
        control: Position of the control.
        alpha: Two-sided level.

    Returns:
        `AdaptiveEstimates` of shape (..., arms); the control's own entry is ``zero_variance``.

    Raises:
        InputError: ``out_of_range`` for an unknown control or alpha outside (0, 1).

    Source:
        Hadad et al. (2021), theorem 4: the variance of the difference of the two weighted scores, unit by
        unit.

    Examples:
        >>> s = adaptive_scores([0, 1, 0, 1], [1.0, 3.0, 2.0, 5.0], [[0.5, 0.5]] * 4, weighting="uniform")
        >>> print(adaptive_contrasts(s).estimate)
        [  nan 2.125]
    """
    count = scores.scores.shape[-1]
    if not 0 <= control < count:
        raise refuse("out_of_range", "no such arm", "control", value=control, rule=f"0 to {count - 1}")
    part, estimate = _centred(scores)
    difference = part - part[..., control, None]
    status = _status(scores, difference)
    missing = ~scores.served[..., control, None]
    status = np.where(missing, np.int8(Reason.NO_EXPOSURE), status).astype(np.int8)
    se = np.sqrt((difference**2).sum(axis=-2))
    return _estimates(estimate - estimate[..., control, None], se, status, alpha)


def _centred(scores: AdaptiveScores) -> tuple[FloatArray, FloatArray]:
    """Each unit's weighted deviation from the arm's estimate, and the estimates."""
    h = scores.weights
    total = h.sum(axis=-2, keepdims=True)
    estimate = (h * scores.scores).sum(axis=-2, keepdims=True) / total
    return h * (scores.scores - estimate) / total, estimate[..., 0, :]


def _status(scores: AdaptiveScores, part: FloatArray) -> StatusArray:
    shape = scores.served.shape
    return reasons(
        shape,
        [
            (np.full(shape, scores.scores.shape[-2] < 2), Reason.INSUFFICIENT_SAMPLE),
            (~scores.served, Reason.NO_EXPOSURE),
            ((part == 0).all(axis=-2), Reason.ZERO_VARIANCE),
        ],
    )


def _estimates(
    estimate: FloatArray, se: FloatArray, status: StatusArray, alpha: ArrayLike
) -> AdaptiveEstimates:
    test = infer(estimate, se, np.inf, as_level(alpha))
    return AdaptiveEstimates(
        estimate=blank(status, estimate),
        se=blank(status, se),
        statistic=blank(status, test.statistic),
        p_value=blank(status, test.p_value),
        ci_low=blank(status, test.ci_low),
        ci_high=blank(status, test.ci_high),
        status=status,
    )
