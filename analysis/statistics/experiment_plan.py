"""Units that an experiment needs, and the effect it can find, with its method, arms, allocation and looks together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_choice, as_counts, as_level, as_positive, refuse
from fairsplit.analysis.statistics.group_sequential import as_sides, equal_fractions
from fairsplit.analysis.statistics.planning import mde_two_proportions, mde_z, sample_size_two_proportions
from fairsplit.analysis.statistics.planning_designs import (
    SequentialPlan,
    comparison_alpha,
    cuped_variance,
    plan_always_valid,
    plan_bayesian,
    plan_group_sequential,
    plan_sprt,
    sample_size_z,
)
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray
    from fairsplit.analysis.statistics.spending import SpendingFunction

METHODS = ("fixed", "group_sequential", "always_valid", "sprt", "bayesian")


@dataclass(frozen=True, slots=True)
class Setup:
    """How an experiment will be judged.

    Attributes:
        alpha: Error over all sides and comparisons, in (0, 1).
        power: Of each comparison, above alpha.
        sides: 2 or 1.
        method: ``fixed``, ``group_sequential``, ``always_valid``, ``sprt`` or ``bayesian``.
        looks: Equally spaced looks of ``group_sequential``, ``always_valid`` and ``bayesian``.
        arms: Arms besides the control.
        correction: ``dunnett``, ``bonferroni`` or ``none``, over the arms.
        ratio: Units of an arm over units of the control.
        clusters: Design effect of randomising clusters (see `design_effect`), at least 1.
        spending: Of ``group_sequential``; O'Brien-Fleming-type if omitted.
        winner_probability: Of ``bayesian``: what the chance to be better, with several arms the best, must reach; each
            of several arms is planned as if it shared what is missing to 1.
    """

    alpha: float = 0.05
    power: float = 0.8
    sides: int = 2
    method: str = "fixed"
    looks: int = 14
    arms: int = 1
    correction: str = "dunnett"
    ratio: float = 1.0
    clusters: float = 1.0
    spending: SpendingFunction | None = None
    winner_probability: float = 0.95

    def __post_init__(self) -> None:
        """Refuse what no plan can have."""
        as_level(self.alpha)
        as_level(self.power, "power")
        as_level(self.winner_probability, "winner_probability")
        as_sides(self.sides)
        as_choice(self.method, "method", METHODS)
        as_counts(self.looks, "looks")
        as_positive(self.ratio, "ratio")
        if as_positive(self.clusters, "clusters") < 1:
            raise refuse("out_of_range", "a design effect below 1", "clusters", rule="1 or more")
        if self.power <= self.alpha:
            raise refuse("out_of_range", "power at most alpha", "power", rule="above alpha")

    def comparison_alpha(self) -> float:
        """The error of one comparison with the control."""
        return float(
            comparison_alpha(self.alpha, self.arms, self.correction, ratio=self.ratio, sides=self.sides)
        )

    def factors(self) -> SequentialPlan:
        """Sample sizes over those of one look, at the error of one comparison."""
        return _factors(self)


@cache
def _factors(setup: Setup) -> SequentialPlan:
    # Kept, since every metric and duration of one plan asks for the same, and boundaries are integrals.
    error = setup.comparison_alpha()
    if setup.method == "group_sequential":
        looks = equal_fractions(setup.looks)
        return plan_group_sequential(looks, error, setup.power, sides=setup.sides, spending=setup.spending)
    if setup.method == "always_valid":
        return plan_always_valid(equal_fractions(setup.looks), error, setup.power, sides=setup.sides)
    if setup.method == "sprt":
        return plan_sprt(error, setup.power, sides=setup.sides)
    if setup.method == "bayesian":
        sure = 1 - (1 - setup.winner_probability) / setup.arms
        return plan_bayesian(equal_fractions(setup.looks), sure, error * 2 / setup.sides, setup.power)
    one = np.ones(())
    return SequentialPlan(one, one, one)


@dataclass(frozen=True, slots=True)
class UnitsNeeded:
    """Units of randomisation, unrounded; for the open-ended SPRT all but the expected totals are infinite.

    Attributes:
        control: In the control at the last look.
        arm: In each other arm.
        total: Over all arms.
        expected_null: Total on average if no arm has an effect (stopping only by the test's own bounds).
        expected_effect: Total on average under the effect planned for, as for a single comparison.
    """

    control: FloatArray
    arm: FloatArray
    total: FloatArray
    expected_null: FloatArray
    expected_effect: FloatArray


@quiet
def plan_means(
    delta: Any,
    variance_c: Any,
    variance_t: Any | None = None,
    *,
    setup: Setup,
    correlation: Any = 0.0,
) -> UnitsNeeded:
    """Units to find a difference of means (or of linearised ratios, see `ratio_variance`).

    Args:
        delta: Absolute difference, not 0; for non-inferiority the expected one plus the margin.
        variance_c: Variance of a unit in the control, above 0.
        variance_t: In the other arm; as the control's if omitted.
        setup: How the experiment will be judged.
        correlation: With the covariates within arms, in (-1, 1): CUPED takes its square off the variance.

    Returns:
        Units of the broadcast shape.

    Raises:
        InputError: As `sample_size_z` and `cuped_variance`; ``out_of_range`` for a correlation of 1.

    Examples:
        >>> plan_means([0.1], 1.0, setup=Setup()).total.round(0)
        array([3140.])
        >>> plan_means([0.1], 1.0, setup=Setup(method="always_valid"), correlation=0.6).total.round(0)
        array([3534.])
    """
    left_c = cuped_variance(variance_c, correlation)
    left_t = left_c if variance_t is None else cuped_variance(variance_t, correlation)
    control = sample_size_z(
        delta, left_c, left_t, setup.power, setup.comparison_alpha(), ratio=setup.ratio, sides=setup.sides
    )
    return _units(control, setup)


@quiet
def plan_proportions(p1: Any, p2: Any, *, setup: Setup) -> UnitsNeeded:
    """Units to find a difference of two success rates.

    Args:
        p1: Rate of the control, in (0, 1).
        p2: Rate to be found, in (0, 1), not p1.
        setup: How the experiment will be judged.

    Returns:
        Units of the broadcast shape.

    Raises:
        InputError: As `sample_size_two_proportions`.

    Source:
        Fleiss' formula; one side takes its two-sided form at twice the error.

    Examples:
        >>> plan_proportions([0.10], 0.11, setup=Setup()).control.round(0)
        array([14751.])
    """
    control = sample_size_two_proportions(p1, p2, setup.power, _two_sided(setup), ratio=setup.ratio)
    return _units(control, setup)


@quiet
def detectable_difference(
    total: Any, variance_c: Any, variance_t: Any | None = None, *, setup: Setup, correlation: Any = 0.0
) -> FloatArray:
    """The smallest difference of means that a total of units finds with the planned power.

    Args:
        total: Units over all arms at the last look (for the SPRT: on average under the effect), above 0.
        variance_c: Variance of a unit in the control.
        variance_t: In the other arm; as the control's if omitted.
        setup: How the experiment will be judged.
        correlation: With the covariates within arms.

    Returns:
        Absolute difference, broadcast shape.

    Raises:
        InputError: As `plan_means`.

    Examples:
        >>> detectable_difference([3140.0], 1.0, setup=Setup()).round(3)
        array([0.1])
    """
    left_c = cuped_variance(variance_c, correlation)
    left_t = left_c if variance_t is None else cuped_variance(variance_t, correlation)
    control = _fixed_control(total, setup)
    squared_error = left_c / control + left_t / (control * setup.ratio)
    return mde_z(np.sqrt(squared_error), setup.power, setup.comparison_alpha(), sides=setup.sides)


@quiet
def detectable_increase(p1: Any, total: Any, *, setup: Setup) -> FloatArray:
    """The smallest increase of a rate that a total of units finds with the planned power.

    Args:
        p1: Rate of the control, in (0, 1).
        total: Units over all arms at the last look (for the SPRT: on average under the effect), above 0.
        setup: How the experiment will be judged.

    Returns:
        p2 - p1, broadcast shape; NaN where even certainty is not enough.

    Raises:
        InputError: As `mde_two_proportions`.

    Examples:
        >>> detectable_increase([0.10], 29502.0, setup=Setup()).round(4)
        array([0.01])
    """
    control = _fixed_control(total, setup)
    return mde_two_proportions(p1, control, control * setup.ratio, setup.power, _two_sided(setup))


def _two_sided(setup: Setup) -> float:
    return setup.comparison_alpha() * 2.0 / setup.sides


def _units(fixed_control: FloatArray, setup: Setup) -> UnitsNeeded:
    factors = setup.factors()
    fixed = fixed_control * setup.clusters
    arms = 1.0 + setup.arms * setup.ratio
    control = fixed * factors.maximum
    return UnitsNeeded(
        control=control,
        arm=control * setup.ratio,
        total=control * arms,
        expected_null=fixed * factors.expected_null * arms,
        expected_effect=fixed * factors.expected_effect * arms,
    )


def _fixed_control(total: Any, setup: Setup) -> FloatArray:
    """Units of the control in a one-look experiment that finds as much as the total does."""
    factors = setup.factors()
    factor = factors.expected_effect if setup.method == "sprt" else factors.maximum
    arms = 1.0 + setup.arms * setup.ratio
    return np.asarray(as_positive(total, "total") / (arms * factor * setup.clusters), dtype=np.float64)
