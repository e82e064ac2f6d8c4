"""Sizes, durations and detectable effects of one baseline under one way of judging."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.checks import refuse
from fairsplit.analysis.statistics.experiment_plan import (
    Setup,
    UnitsNeeded,
    detectable_difference,
    detectable_increase,
    plan_means,
    plan_proportions,
)
from fairsplit.analysis.statistics.planning import power_two_proportions, power_z
from fairsplit.analysis.statistics.planning_designs import cuped_variance, days_by_forecast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairsplit.analysis.planning.baseline import Baseline
    from fairsplit.analysis.statistics.checks import FloatArray


@dataclass(frozen=True, slots=True)
class Design:
    """What finding one effect takes.

    Attributes:
        method: How the experiment is judged.
        control: Units in the control.
        arm: Units in each other arm.
        total: Units over all arms at the last look; of the open-ended SPRT on average, if the effect is there.
        expected: Units on average if the effect is there, rounded up.
        days: Until the last unit's window has closed; None when the traffic is unknown or never suffices.
    """

    method: str
    control: int
    arm: int
    total: int
    expected: int
    days: int | None


def design(baseline: Baseline, effect: float, setup: Setup, *, absolute: bool = False) -> Design:
    """Units and days to find an effect.

    Args:
        baseline: What the metric is like.
        effect: As `Baseline.difference` takes it: above 0 in the good direction, below 0 downwards.
        setup: How the experiment will be judged.
        absolute: Whether the effect is in the metric's unit, not a share of its value.

    Raises:
        InputError: As `Baseline.difference`.
    """
    needed = _needed(baseline, baseline.difference(effect, absolute=absolute), setup)
    last = (
        needed.expected_effect / (1 + setup.arms * setup.ratio) if setup.method == "sprt" else needed.control
    )
    control, arm = math.ceil(float(last)), math.ceil(float(last * setup.ratio))
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


def _needed(baseline: Baseline, difference: float, setup: Setup) -> UnitsNeeded:
    if not baseline.binary:
        return plan_means(abs(difference), baseline.variance, setup=setup, correlation=baseline.correlation)
    goal = baseline.mean + difference
    if baseline.correlation == 0:
        return plan_proportions(baseline.mean, goal, setup=setup)
    return plan_means(
        abs(difference),
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


def detectable(
    baseline: Baseline, total: FloatArray, setup: Setup, *, absolute: bool = False, up: bool | None = None
) -> FloatArray:
    """The smallest effect that each total of units finds with the planned power.

    Args:
        baseline: What the metric is like.
        total: Units over all arms, at least 0, shape (...).
        setup: How the experiment will be judged.
        absolute: Whether the effects are in the metric's unit.
        up: Whether a rise is looked for, whose rates need other numbers than a fall; the good direction if omitted.

    Returns:
        Sizes above 0, shape (...); NaN without units, where no rate can change by enough, and for shares of a value
        of 0.
    """
    some = np.where(total > 0, total, 1.0)
    if baseline.binary and baseline.correlation == 0:
        # Fewer successes are more failures.
        # Fewer successes are more failures.
        rises = baseline.sign > 0 if up is None else up
        found = detectable_increase(baseline.mean if rises else 1 - baseline.mean, some, setup=setup)
    else:
        found = detectable_difference(some, baseline.variance, setup=setup, correlation=baseline.correlation)
    size = 1.0 if absolute else abs(baseline.mean)
    return np.where(total > 0, found / size, np.nan) if size else np.full(np.shape(total), np.nan)


def power(
    baseline: Baseline, effects: FloatArray, total: float, setup: Setup, *, absolute: bool = False
) -> FloatArray:
    """The chance to find each effect in the good direction when the data are read once.

    Args:
        baseline: What the metric is like.
        effects: Above 0, shape (k,).
        total: Units over all arms, above 0.
        setup: Arms, ratio, alpha and sides; its method must be ``fixed``.
        absolute: Whether the effects are in the metric's unit.

    Returns:
        Power, shape (k,); NaN where no rate can change by so much.
    """
    if setup.method != "fixed":
        raise refuse("unknown_choice", "not read once", "method", value=setup.method, rule="fixed")
    differences = baseline.sign * effects * (1.0 if absolute else abs(baseline.mean))
    control = total / (1 + setup.arms * setup.ratio)
    arm = control * setup.ratio
    error = setup.comparison_alpha()
    if baseline.binary and baseline.correlation == 0:
        goals = baseline.mean + differences
        possible = (goals > 0) & (goals < 1)
        chance = power_two_proportions(
            baseline.mean, np.where(possible, goals, baseline.mean / 2), control, arm, error * 2 / setup.sides
        )
        return np.where(possible, chance, np.nan)
    left = float(cuped_variance(baseline.variance, baseline.correlation))
    deviation = math.sqrt(left / control + left / arm)
    tails = "two-sided" if setup.sides == 2 else "greater"
    return power_z(np.abs(differences), deviation, error, alternative=tails)
