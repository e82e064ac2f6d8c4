"""From a plan for two plain arms to that of a real experiment: variance, clusters, arms, looks, days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import (
    as_choice,
    as_counts,
    as_floats,
    as_level,
    as_non_negative,
    as_positive,
    as_rates,
    refuse,
    together,
)
from fairsplit.analysis.statistics.confidence_sequences import sequence_multiplier
from fairsplit.analysis.statistics.group_sequential import as_sides, lan_demets_bounds
from fairsplit.analysis.statistics.group_sequential_design import design_properties
from fairsplit.analysis.statistics.many_to_one import many_to_one_critical
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.sprt import sprt_asn_normal
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray
    from fairsplit.analysis.statistics.spending import SpendingFunction

CORRECTIONS = ("none", "bonferroni", "dunnett")


@dataclass(frozen=True, slots=True)
class SequentialPlan:
    """Sample sizes of a test with looks, over that of the fixed test with the same error and power.

    Attributes:
        maximum: At the last look; infinite for the open-ended SPRT.
        expected_null: On average without an effect.
        expected_effect: On average under the effect planned for.
    """

    maximum: FloatArray
    expected_null: FloatArray
    expected_effect: FloatArray


@quiet
def sample_size_z(
    delta: Any,
    variance_c: Any,
    variance_t: Any | None = None,
    power: Any = 0.8,
    alpha: Any = 0.05,
    *,
    ratio: Any = 1.0,
    sides: int = 2,
) -> FloatArray:
    """Units of the control for a wanted power of a normal test of two means.

    Args:
        delta: Difference of means, not 0.
        variance_c: Variance of a unit in the control (after CUPED, of the linearised ratio, …), above 0.
        variance_t: Variance in the other arm; as the control's if omitted.
        power: In (0, 1).
        alpha: Error over all sides.
        ratio: Units of the other arm over units of the control.
        sides: 2 or 1.

    Returns:
        Units of the control, unrounded.

    Raises:
        InputError: ``out_of_range``, ``not_finite``, ``unknown_choice``.

    Examples:
        >>> sample_size_z([0.1], 1.0).round(1)
        array([1569.8])
    """
    as_sides(sides)
    difference, v_c, v_t, aim, level, share = together(
        {
            "delta": as_floats(delta, "delta"),
            "variance_c": as_positive(variance_c, "variance_c"),
            "variance_t": as_positive(variance_c if variance_t is None else variance_t, "variance_t"),
            "power": as_level(power, "power"),
            "alpha": as_level(alpha),
            "ratio": as_positive(ratio, "ratio"),
        }
    )
    if np.any(difference == 0):
        raise refuse("out_of_range", "no effect to find", "delta", value=0, rule="not 0")
    reach = np.maximum(special.ndtri(aim) - special.ndtri(level / sides), 0.0)
    return np.asarray((reach / difference) ** 2 * (v_c + v_t / share), dtype=np.float64)


@quiet
def sample_size_mann_whitney(
    superiority: Any, power: Any = 0.8, alpha: Any = 0.05, *, ratio: Any = 1.0, sides: int = 2
) -> FloatArray:
    """Units of the control for a wanted power of the Mann-Whitney test.

    Args:
        superiority: P(a treated value exceeds a control's) + P(tie) / 2, in (0, 1), not 1/2.
        power: In (0, 1).
        alpha: Error over all sides.
        ratio: Units of the other arm over units of the control.
        sides: 2 or 1.

    Returns:
        Units of the control, unrounded.

    Raises:
        InputError: ``out_of_range``.

    Source:
        Noether (1987), JASA 82, 645.

    Examples:
        >>> sample_size_mann_whitney([0.6]).round(1)
        array([130.8])
    """
    as_sides(sides)
    p, aim, level, share = together(
        {
            "superiority": as_level(superiority, "superiority"),
            "power": as_level(power, "power"),
            "alpha": as_level(alpha),
            "ratio": as_positive(ratio, "ratio"),
        }
    )
    if np.any(p == 0.5):
        raise refuse("out_of_range", "no effect to find", "superiority", value=0.5, rule="not 1/2")
    reach = np.maximum(special.ndtri(aim) - special.ndtri(level / sides), 0.0)
    total = (reach / (p - 0.5)) ** 2 * (1.0 + share) ** 2 / (12.0 * share)
    return np.asarray(total / (1.0 + share), dtype=np.float64)


def cuped_variance(variance: Any, correlation: Any) -> FloatArray:
    """Variance left after adjusting for covariates: variance (1 - correlation^2).

    Args:
        variance: Before, at least 0.
        correlation: Multiple correlation with the covariates within arms, in [-1, 1].

    Returns:
        Broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``negative``.

    Source:
        Deng, Xu, Kohavi and Walker (2013), WSDM, equation (4).

    Examples:
        >>> cuped_variance([4.0], 0.5)
        array([3.])
    """
    rho = as_floats(correlation, "correlation")
    as_rates(np.abs(rho), "correlation")
    return np.asarray(as_non_negative(variance, "variance") * (1.0 - rho * rho), dtype=np.float64)


@quiet
def ratio_variance(mean_num: Any, mean_den: Any, var_num: Any, var_den: Any, covariance: Any) -> FloatArray:
    """Variance of a unit's linearised ratio, so that a ratio metric is planned like a mean.

    Args:
        mean_num: Mean numerator of a unit.
        mean_den: Mean denominator of a unit, not 0.
        var_num: Variance of the numerator.
        var_den: Variance of the denominator.
        covariance: Of both.

    Returns:
        (var_num - 2 R covariance + R^2 var_den) / mean_den^2 with R = mean_num / mean_den, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``negative``, ``not_finite``.

    Source:
        Deng, Knoblich and Lu (2018), KDD, section 3.1 (delta method).

    Examples:
        >>> ratio_variance([2.0], 4.0, 1.0, 2.0, 0.5)
        array([0.0625])
    """
    denominator = as_floats(mean_den, "mean_den")
    if np.any(denominator == 0):
        raise refuse("out_of_range", "no denominator", "mean_den", value=0, rule="not 0")
    ratio = as_floats(mean_num, "mean_num") / denominator
    spread = (
        as_non_negative(var_num, "var_num")
        - 2.0 * ratio * as_floats(covariance, "covariance")
        + ratio * ratio * as_non_negative(var_den, "var_den")
    )
    return np.asarray(np.maximum(spread, 0.0) / denominator**2, dtype=np.float64)


def design_effect(cluster_size: Any, intraclass_correlation: Any, cluster_size_cv: Any = 0.0) -> FloatArray:
    """By how much clusters as units of randomisation inflate the sample: 1 + ((cv^2 + 1) m - 1) icc.

    Args:
        cluster_size: Mean rows per cluster, at least 1.
        intraclass_correlation: Between rows of a cluster, in [0, 1].
        cluster_size_cv: Standard deviation of cluster sizes over their mean, at least 0.

    Returns:
        Factor on the sample size in rows, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``negative``.

    Source:
        Kish (1965); Eldridge, Ashby and Kerry (2006), International Journal of Epidemiology 35, 1292.

    Examples:
        >>> design_effect([20.0], 0.05), design_effect([20.0], 0.05, 0.5)
        (array([1.95]), array([2.2]))
    """
    size = as_positive(cluster_size, "cluster_size")
    if np.any(size < 1):
        raise refuse("out_of_range", "less than a row per cluster", "cluster_size", rule="1 or more")
    icc = as_rates(intraclass_correlation, "intraclass_correlation")
    cv = as_non_negative(cluster_size_cv, "cluster_size_cv")
    return np.asarray(1.0 + ((cv * cv + 1.0) * size - 1.0) * icc, dtype=np.float64)


@quiet
def comparison_alpha(
    alpha: Any, comparisons: Any, correction: str = "dunnett", *, ratio: Any = 1.0, sides: int = 2
) -> FloatArray:
    """The error at which one of several comparisons with a control is to be planned.

    Args:
        alpha: Error over the family.
        comparisons: Arms besides the control, whole numbers of at least 1.
        correction: ``none``, ``bonferroni`` or ``dunnett`` (large samples).
        ratio: Units of an arm over units of the control (Dunnett's correlation follows from it).
        sides: 2 or 1.

    Returns:
        Per-comparison error over all sides, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``unknown_choice``.

    Source:
        Dunnett (1955). With k arms the control is best sqrt(k) times as large as an arm.

    Examples:
        >>> comparison_alpha([0.05], 3).round(4), comparison_alpha([0.05], 3, "bonferroni").round(4)
        (array([0.0188]), array([0.0167]))
    """
    as_choice(correction, "correction", CORRECTIONS)
    as_sides(sides)
    level, arms, share = together(
        {
            "alpha": as_level(alpha),
            "comparisons": as_counts(comparisons, "comparisons"),
            "ratio": as_positive(ratio, "ratio"),
        }
    )
    if np.any(arms < 1):
        raise refuse("out_of_range", "nothing to compare", "comparisons", rule="at least 1")
    # One comparison is its own family; no root is looked for.
    if correction == "none" or np.all(arms == 1):
        return level.copy()
    if correction == "bonferroni":
        return np.asarray(level / arms, dtype=np.float64)
    flat_arms, flat_share = arms.reshape(-1), share.reshape(-1)
    columns = np.arange(1.0, flat_arms.max(initial=1.0) + 1.0)
    loading = np.sqrt(flat_share / (1.0 + flat_share))[:, None]
    table = np.where(columns <= flat_arms[:, None], loading, np.nan)
    critical = many_to_one_critical(table, np.full(flat_arms.size, np.inf), level.reshape(-1), sides=sides)
    return np.asarray(sides * special.ndtr(-critical), dtype=np.float64).reshape(level.shape)


def plan_group_sequential(
    information_fraction: Any,
    alpha: Any = 0.05,
    power: Any = 0.8,
    *,
    sides: int = 2,
    spending: SpendingFunction | None = None,
) -> SequentialPlan:
    """Sample sizes of a group sequential test over the fixed one's.

    Args:
        information_fraction: Planned looks, shape (..., looks), the last one 1, NaN after the last.
        alpha: Error over all sides, shape (...).
        power: In (alpha, 1).
        sides: 2 or 1.
        spending: O'Brien-Fleming-type if omitted.

    Returns:
        Factors of shape (...).

    Raises:
        InputError: As `lan_demets_bounds` and `design_properties`.

    Source:
        Jennison and Turnbull (2000), section 7.2.

    Examples:
        >>> plan_group_sequential([[0.25, 0.5, 0.75, 1.0]]).maximum.round(4)
        array([1.0196])
    """
    bounds = lan_demets_bounds(information_fraction, alpha, sides=sides, spending=spending)
    r = design_properties(bounds.upper, information_fraction, alpha, power, sides=sides)
    return SequentialPlan(r.inflation, r.expected_null, r.expected_alternative)


def plan_always_valid(
    information_fraction: Any, alpha: Any = 0.05, power: Any = 0.8, *, sides: int = 2
) -> SequentialPlan:
    """Sample sizes of an asymptotic confidence sequence, tuned for its planned end, over the fixed test's.

    Power is that of crossing at one of the looks, the last of them at the planned end.

    Args:
        information_fraction: Looks, shape (..., looks), the last one 1, NaN after the last; 14 for two weeks
            of days.
        alpha: Error over all sides, scalar.
        power: In (alpha, 1).
        sides: 2 or 1.

    Returns:
        Factors of shape (...).

    Raises:
        InputError: As `design_properties` and `sequence_multiplier`.

    Source:
        Boundary of Waudby-Smith et al. (2024), crossed as in Jennison and Turnbull (2000), section 19.2.

    Examples:
        >>> plan_always_valid([np.arange(1, 15) / 14]).maximum.round(3)
        array([1.759])
    """
    as_sides(sides)
    level = float(as_level(alpha))
    t = as_padded(information_fraction, "information_fraction")
    filled = np.where(np.isnan(t) | (t <= 0), 1.0, t)
    upper = sequence_multiplier(filled, 1.0, level, alternative="two-sided" if sides == 2 else "greater")
    r = design_properties(np.where(t > 0, upper, np.inf), t, level, power, sides=sides)
    return SequentialPlan(r.inflation, r.expected_null, r.expected_alternative)


@quiet
def plan_sprt(alpha: Any = 0.05, power: Any = 0.8, *, sides: int = 2) -> SequentialPlan:
    """Average sample sizes of Wald's test over the fixed one's; it has no largest sample.

    Args:
        alpha: Error over all sides; for two sides each direction runs at half of it.
        power: In (alpha, 1).
        sides: 2 (the averages neglect the direction away from the effect; without an effect both directions
            must accept, which takes longer than the figure given) or 1.

    Returns:
        Factors of the broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``unknown_choice``.

    Source:
        Wald (1945), section 4.

    Examples:
        >>> plan_sprt([0.05], sides=1).expected_effect.round(3)
        array([0.617])
    """
    as_sides(sides)
    level = as_level(alpha) / sides
    beta = 1.0 - as_level(power, "power")
    numbers = sprt_asn_normal(0.0, 1.0, 1.0, level, beta)
    fixed = (special.ndtri(level) + special.ndtri(beta)) ** 2
    null = np.asarray(numbers.asn_h0 / fixed, dtype=np.float64)
    effect = np.asarray(numbers.asn_h1 / fixed, dtype=np.float64)
    return SequentialPlan(np.full(null.shape, np.inf), null, effect)


def plan_bayesian(
    information_fraction: Any,
    winner_probability: Any = 0.95,
    alpha: Any = 0.05,
    power: Any = 0.8,
) -> SequentialPlan:
    """Sample sizes of a rule that ships once the posterior of a flat prior says "better" with a probability.

    The rule is a bound of the same height at every look. Power is that of shipping at one of them; the expected sizes
    count an arm that is surely worse as an end, too.

    Args:
        information_fraction: Looks, shape (..., looks), the last one 1, NaN after the last.
        winner_probability: The probability asked for, in (1/2, 1).
        alpha: Error of the fixed test to compare with, over both sides.
        power: In (alpha, 1).

    Returns:
        Factors of shape (...).

    Raises:
        InputError: As `design_properties`; ``out_of_range`` for a probability of at most one half.

    Source:
        The posterior of a difference under a flat prior is its likelihood (Spiegelhalter, Freedman and Parmar 1994,
        JRSS A 157, 357); crossed as in Jennison and Turnbull (2000), section 19.2.

    Examples:
        >>> plan_bayesian([[1.0]], 0.975).maximum.round(3)
        array([1.])
    """
    sure = as_level(winner_probability, "winner_probability")
    if np.any(sure <= 0.5):
        raise refuse("out_of_range", "no decision", "winner_probability", value=sure, rule="above 1/2")
    t = as_padded(information_fraction, "information_fraction")
    upper = np.where(np.isnan(t), np.nan, special.ndtri(sure))
    r = design_properties(upper, t, alpha, power)
    return SequentialPlan(r.inflation, r.expected_null, r.expected_alternative)


@quiet
def days_needed(units: Any, units_per_day: Any, window_days: Any = 0.0) -> FloatArray:
    """Whole days until enough units have been exposed, at a steady rate, and their windows have closed.

    Args:
        units: Units needed over all arms, at least 0.
        units_per_day: New units exposed per day, above 0.
        window_days: Length of the metric's window, at least 0.

    Returns:
        Days, broadcast shape.

    Raises:
        InputError: ``negative``, ``not_finite``, ``out_of_range``.

    Examples:
        >>> days_needed([1000.0, 1001.0], 100.0, 7.0)
        array([17., 18.])
    """
    wanted, daily, window = together(
        {
            "units": as_non_negative(units, "units"),
            "units_per_day": as_positive(units_per_day, "units_per_day"),
            "window_days": as_non_negative(window_days, "window_days"),
        }
    )
    return np.asarray(np.ceil(wanted / daily) + np.ceil(window), dtype=np.float64)


def days_by_forecast(units: Any, forecast: Any, window_days: Any = 0.0) -> FloatArray:
    """Whole days until enough units have been exposed, by a forecast of new units day by day.

    New units grow scarcer as the days go by (returning users are no new units), so that a steady rate is too
    short.

    Args:
        units: Units needed over all arms, at least 0, shape (...).
        forecast: New units exposed on each day, at least 0, shape (days,).
        window_days: Length of the metric's window, at least 0.

    Returns:
        Days, shape (...); NaN where the forecast ends too early.

    Raises:
        InputError: ``negative``, ``not_finite``, ``shape_mismatch``.

    Examples:
        >>> days_by_forecast([250.0, 1000.0], [100.0, 80.0, 60.0, 50.0])
        array([ 4., nan])
    """
    wanted = as_non_negative(units, "units")
    daily = as_non_negative(forecast, "forecast")
    if daily.ndim != 1:
        raise refuse("shape_mismatch", "not one number a day", "forecast", value=daily.shape, rule="(days,)")
    arrived = np.cumsum(daily)
    day = np.searchsorted(arrived, wanted, side="left")
    window = np.ceil(as_non_negative(window_days, "window_days"))
    return np.where(day < arrived.size, day + 1.0, np.nan) + window
