"""Sizes, durations and detectable effects of one baseline under one way of judging."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.statistics.checks import refuse
from analysis.statistics.experiment_plan import (
    Setup,
    UnitsNeeded,
    detectable_difference,
    detectable_increase,
    plan_means,
    plan_proportions,
)
from analysis.statistics.planning import power_two_proportions, power_z
from analysis.statistics.planning_designs import cuped_variance, days_by_forecast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.planning.baseline import Baseline
    from analysis.statistics.checks import FloatArray


@dataclass(frozen=True, slots=True)
class Design:
    """What finding one effect takes.

    Attributes:
        method: How the experiment is judged.
        control: Units in the control.
        arm: Units in each other arm.
        total: Units over all arms at the last look.
        expected: Units on average if the effect is there, rounded up.
        days: Until the last unit's window has closed; None when the traffic is unknown or never suffices.
    """

    method: str
    control: int
    arm: int
    total: int
    expected: int
    days: int | None


def design(baseline: Baseline, effect: float, setup: Setup) -> Design:
    """Units and days to find a relative effect in the good direction.

    Args:
        baseline: What the metric is like.
        effect: Relative, above 0 (0.05 is five per cent).
        setup: How the experiment will be judged.

    Raises:
        InputError: ``out_of_range`` for an effect that is not above 0 or that no rate can have;
            ``unknown_choice`` for the open-ended SPRT.
    """
    if setup.method == "sprt":
        raise refuse("unknown_choice", "it has no last look to plan for", "method", value=setup.method)
    needed = _needed(baseline, effect, setup)
    control, arm = math.ceil(float(needed.control)), math.ceil(float(needed.arm))
    total = control + setup.arms * arm
    days = math.nan
    if baseline.forecast:
        days = float(days_by_forecast(float(total), baseline.forecast, baseline.window_days))
    return Design(
        setup.method,
        control,
        arm,
        total,
        math.ceil(float(needed.expected_effect)),
        int(days) if math.isfinite(days) else None,
    )


def _needed(baseline: Baseline, effect: float, setup: Setup) -> UnitsNeeded:
    if not (math.isfinite(effect) and effect > 0):
        raise refuse("out_of_range", "no effect to find", "effect", value=effect, rule="above 0")
    goal = baseline.mean * (1 + baseline.sign * effect)
    if not baseline.binary:
        return plan_means(
            abs(baseline.mean) * effect, baseline.variance, setup=setup, correlation=baseline.correlation
        )
    if not 0 < goal < 1:
        raise refuse(
            "out_of_range",
            "no rate can change by so much",
            "effect",
            value=effect,
            rule="a rate between 0 and 1",
        )
    if baseline.correlation == 0:
        return plan_proportions(baseline.mean, goal, setup=setup)
    return plan_means(
        abs(goal - baseline.mean),
        baseline.mean * (1 - baseline.mean),
        goal * (1 - goal),
        setup=setup,
        correlation=baseline.correlation,
    )


def analysed_by(baseline: Baseline, days: Sequence[int]) -> FloatArray:
    """Units over all arms whose windows have closed after so many days, shape (days,)."""
    arrived = np.concatenate([[0.0], np.cumsum(baseline.forecast)])
    closed = np.asarray(days, dtype=np.int64) - math.ceil(baseline.window_days)
    return np.asarray(arrived[np.clip(closed, 0, arrived.size - 1)], dtype=np.float64)


def detectable(baseline: Baseline, total: FloatArray, setup: Setup) -> FloatArray:
    """The smallest relative effect, in the good direction, that each total of units finds with the planned power.

    Args:
        baseline: What the metric is like.
        total: Units over all arms, at least 0, shape (...).
        setup: How the experiment will be judged.

    Returns:
        Relative effects, shape (...); NaN without units, or where no rate can change by enough.
    """
    some = np.where(total > 0, total, 1.0)
    if baseline.binary and baseline.correlation == 0:
        # Fewer successes are more failures.
        start = baseline.mean if baseline.sign > 0 else 1 - baseline.mean
        found = detectable_increase(start, some, setup=setup)
        found = np.where(found < start, found, np.nan) if baseline.sign < 0 else found
    else:
        found = detectable_difference(some, baseline.variance, setup=setup, correlation=baseline.correlation)
    return np.where(total > 0, found / abs(baseline.mean), np.nan)


def power(baseline: Baseline, effects: FloatArray, total: float, setup: Setup) -> FloatArray:
    """The chance to find each relative effect in the good direction when the data are read once.

    Args:
        baseline: What the metric is like.
        effects: Relative, above 0, shape (k,).
        total: Units over all arms, above 0.
        setup: Arms, ratio, alpha and sides; its method must be ``fixed``.

    Returns:
        Power, shape (k,); NaN where no rate can change by so much.
    """
    if setup.method != "fixed":
        raise refuse("unknown_choice", "not read once", "method", value=setup.method, rule="fixed")
    control = total / (1 + setup.arms * setup.ratio)
    arm = control * setup.ratio
    error = setup.comparison_alpha()
    if baseline.binary and baseline.correlation == 0:
        goals = baseline.mean * (1 + baseline.sign * effects)
        possible = (goals > 0) & (goals < 1)
        chance = power_two_proportions(
            baseline.mean, np.where(possible, goals, baseline.mean / 2), control, arm, error * 2 / setup.sides
        )
        return np.where(possible, chance, np.nan)
    left = float(cuped_variance(baseline.variance, baseline.correlation))
    deviation = math.sqrt(left / control + left / arm)
    tails = "two-sided" if setup.sides == 2 else "greater"
    return power_z(abs(baseline.mean) * effects, deviation, error, alternative=tails)
