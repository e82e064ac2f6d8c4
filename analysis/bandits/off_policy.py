"""Off-policy evaluation: what another allocation would have earned, from data logged under this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from fairsplit.analysis.bandits.evaluation import logged
from fairsplit.analysis.bandits.shares import as_shares
from fairsplit.analysis.statistics.checks import as_choice, as_floats, as_level, refuse
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons
from fairsplit.analysis.statistics.tails import infer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray, StatusArray

OffPolicyMethod: TypeAlias = Literal["ips", "snips", "doubly_robust"]
OFF_POLICY_METHODS = ("ips", "snips", "doubly_robust")


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """Mean reward per unit under the other allocation, arrays of shape (...).

    Attributes:
        estimate: Mean reward.
        se: Standard error.
        ci_low: Lower bound of the Normal confidence interval.
        ci_high: Upper bound.
        effective_units: (Σ w)² / Σ w²: how many units of its own data the logged data are worth.
        largest_weight: Largest w = target share / logged share of a unit's arm; large ones decide alone.
        status: `Reason` codes: ``insufficient_sample`` (under two units), ``no_exposure`` (the logged data
            never touch the target's arms), ``zero_variance``.
    """

    estimate: FloatArray
    se: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    effective_units: FloatArray
    largest_weight: FloatArray
    status: StatusArray


@quiet
def off_policy_value(
    arms: ArrayLike,
    rewards: ArrayLike,
    shares: ArrayLike,
    target: ArrayLike,
    *,
    method: OffPolicyMethod = "doubly_robust",
    model: ArrayLike | None = None,
    alpha: ArrayLike = 0.05,
) -> PolicyValue:
    """Value of a target allocation by inverse propensities, self-normalised or doubly robust.

    With w = target share / logged share of the arm that the unit got: ``ips`` mean(w y); ``snips`` Σ w y / Σ
    w; ``doubly_robust`` mean(Σ_a target(a) m(a) + w (y - m(arm))), unbiased whatever the model m, and the
    more precise the better it predicts.

    Args:
        arms: Position of the arm that each unit got, shape (..., units).
        rewards: Its reward, same shape.
        shares: Logged probability of every arm for that unit, shape (..., units, arms).
        target: Shares of the other allocation, shape (arms,) or one that broadcasts to `shares`.
        method: One of ``ips``, ``snips``, ``doubly_robust``.
        model: Predicted reward of every arm, broadcastable to `shares`, made without this unit's reward;
            required by ``doubly_robust`` alone.
        alpha: Two-sided level.

    Returns:
        `PolicyValue` of shape (...).

    Raises:
        InputError: As `adaptive_scores`; ``out_of_range`` where the target serves an arm of logged share 0;
            ``missing_argument`` for ``doubly_robust`` without a model; ``unknown_choice``.

    Source:
        Horvitz & Thompson (1952); Swaminathan & Joachims (2015), eq. 6 (SNIPS); Dudík, Langford & Li (2011),
        eq. 3 (doubly robust).

    Examples:
        >>> halves = [[0.5, 0.5]] * 4
        >>> r = off_policy_value([0, 1, 1, 0], [1.0, 3.0, 2.0, 1.5], halves, [0.0, 1.0], method="snips")
        >>> print(float(r.estimate), float(r.effective_units))
        2.5 2.0
    """
    as_choice(method, "method", OFF_POLICY_METHODS)
    w, y, e = logged(arms, rewards, shares)
    goal = np.broadcast_to(as_shares(target, "target"), e.shape)
    if np.any((goal > 0) & (e == 0)):
        raise refuse(
            "out_of_range",
            "the target serves an arm that could not be logged",
            "target",
            rule="share 0 wherever the logged share is 0",
        )
    position = w[..., None]
    weight = (np.take_along_axis(goal, position, -1) / np.take_along_axis(e, position, -1))[..., 0]
    units = y.shape[-1]
    if method == "snips":
        total = weight.sum(axis=-1, keepdims=True)
        estimate = (weight * y).sum(axis=-1, keepdims=True) / total
        part = weight * (y - estimate) / total
    else:
        score = weight * y
        if method == "doubly_robust":
            if model is None:
                raise refuse("missing_argument", "no model", "model", rule="a prediction for every arm")
            m = np.broadcast_to(as_floats(model, "model"), e.shape)
            score = (goal * m).sum(axis=-1) + weight * (y - np.take_along_axis(m, position, -1)[..., 0])
        estimate = score.mean(axis=-1, keepdims=True)
        part = (score - estimate) / np.sqrt(units * max(units - 1.0, 1.0))
    squares = (part**2).sum(axis=-1)
    status = reasons(
        squares.shape,
        [
            (np.full(squares.shape, units < 2), Reason.INSUFFICIENT_SAMPLE),
            ((weight == 0).all(axis=-1), Reason.NO_EXPOSURE),
            (squares == 0, Reason.ZERO_VARIANCE),
        ],
    )
    value, se = estimate[..., 0], np.sqrt(squares)
    test = infer(value, se, np.inf, as_level(alpha))
    return PolicyValue(
        estimate=blank(status, value),
        se=blank(status, se),
        ci_low=blank(status, test.ci_low),
        ci_high=blank(status, test.ci_high),
        effective_units=np.asarray(weight.sum(axis=-1) ** 2 / (weight**2).sum(axis=-1)),
        largest_weight=np.asarray(weight.max(axis=-1, initial=0.0)),
        status=status,
    )
