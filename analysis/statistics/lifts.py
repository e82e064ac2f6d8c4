"""Relative lifts, (treatment - control) / |control|, with Fieller's, the log-delta and the delta interval.

The control's absolute value, so that a lift has the sign of its difference: a loss that shrinks from -10 to -1 is
plus ninety per cent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from fairsplit.analysis.statistics.checks import FloatArray, as_choice
from fairsplit.analysis.statistics.status import Reason, blank, combined, quiet, reasons
from fairsplit.analysis.statistics.tails import ALTERNATIVES, t_quantile

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, StatusArray
    from fairsplit.analysis.statistics.tails import Alternative

LiftMethod: TypeAlias = Literal["fieller", "log_delta", "delta"]
LIFT_METHODS = ("fieller", "log_delta", "delta")


@dataclass(frozen=True, slots=True, eq=False)
class Lift:
    """Relative lifts with intervals, per comparison.

    Attributes:
        value: diff / |baseline|; 0.1 means plus ten per cent.
        se: Linear delta-method standard error of the lift (log method: of the log ratio).
        low: Lower end; minus infinity where the interval is unbounded.
        high: Upper end; infinity where the interval is unbounded.
        bounded: False where the baseline is too close to zero for a finite Fieller interval.
        excluded_low: Where the set is two rays, the lower end of the gap between them; else NaN.
        excluded_high: Upper end of that gap; else NaN.
        g: Fieller's g = quantile^2 var(baseline) / baseline^2; bounded where below 1.
        status: `Reason` codes.
    """

    value: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    bounded: BoolArray
    excluded_low: FloatArray
    excluded_high: FloatArray
    g: FloatArray
    status: StatusArray

    def within(self, outer: StatusArray) -> Lift:
        """The same lifts, blank wherever the comparison around them has no result."""
        status = combined(outer, np.broadcast_to(self.status, outer.shape))

        def full(values: FloatArray) -> FloatArray:
            return blank(status, np.broadcast_to(values, status.shape))

        return Lift(
            full(self.value),
            full(self.se),
            full(self.low),
            full(self.high),
            np.asarray(self.bounded & (status == Reason.OK)),
            full(self.excluded_low),
            full(self.excluded_high),
            full(self.g),
            status,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """What a lift is made of: a difference, its baseline, and how both vary.

    Attributes:
        diff: Treatment minus control.
        baseline: The control's mean (unadjusted).
        var_diff: Variance of `diff`.
        var_baseline: Variance of `baseline`.
        covariance: Covariance of `diff` and `baseline`; minus `var_baseline` for independent unadjusted arms.
    """

    diff: FloatArray
    baseline: FloatArray
    var_diff: FloatArray
    var_baseline: FloatArray
    covariance: FloatArray

    def upright(self) -> Pair:
        """The same difference over a baseline that is not negative."""
        below = self.baseline < 0
        covariance = np.where(below, -self.covariance, self.covariance)
        return Pair(self.diff, np.abs(self.baseline), self.var_diff, self.var_baseline, covariance)


@quiet
def fieller(pair: Pair, quantile: FloatArray, alternative: Alternative = "two-sided") -> Lift:
    """Fieller's interval of diff / |baseline| (Fieller 1954).

    All r with (diff - r |baseline|)^2 <= q^2 (var_diff - 2 r cov + r^2 var_baseline). It excludes 0 exactly
    when the absolute test with the same quantile rejects. Where the baseline itself is not significantly
    different from zero (g >= 1) no finite interval has the coverage: reported as unbounded, with the gap
    between the two rays where there is one.

    Args:
        pair: Difference and baseline, shape (...).
        quantile: Critical value of the absolute test (t or normal).
        alternative: One-sided intervals keep one end of the interval at this quantile.

    Returns:
        Lifts; status ``zero_baseline`` where the baseline is 0.

    Examples:
        >>> one = Pair(*(np.array(v) for v in (0.29, 0.41, 0.01557, 0.004464, -0.004464)))
        >>> r = fieller(one, np.array(1.959964))
        >>> r.low.round(3), r.high.round(3), bool(r.bounded)
        (np.float64(0.094), np.float64(1.708), True)
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    pair = pair.upright()
    d, m, vd, vm, c = pair.diff, pair.baseline, pair.var_diff, pair.var_baseline, pair.covariance
    q = np.asarray(quantile, dtype=np.float64)
    value, se = _linear(pair)
    g = q**2 * vm / m**2
    margin_m, margin_d = q * np.sqrt(vm), q * np.sqrt(vd)
    a = (m - margin_m) * (m + margin_m)
    b = d * m - q**2 * c
    # The product of the roots carries the absolute test's own comparison, so both always agree on 0.
    product = (np.abs(d) - margin_d) * (np.abs(d) + margin_d)
    discriminant = m**2 * vd + d**2 * vm - 2 * d * m * c + q**2 * (c**2 - vd * vm)
    spread = q * np.sqrt(np.maximum(discriminant, 0.0))
    larger = b + np.where(b >= 0, spread, -spread)
    one, two = np.where(larger == 0, 0.0, product / larger), larger / a
    low, high = np.minimum(one, two), np.maximum(one, two)
    bounded = np.asarray(g < 1)
    rays = ~bounded & (discriminant > 0) & (product > 0)
    status = reasons(np.shape(value), [(m == 0, Reason.ZERO_BASELINE)])
    excluded_low = np.where(rays, low, np.nan)
    excluded_high = np.where(rays, high, np.nan)
    # One-sided levels above 1/2 have a negative quantile: then the ends change places.
    low, high = np.where(q < 0, high, low), np.where(q < 0, low, high)
    low, high = np.where(bounded, low, -np.inf), np.where(bounded, high, np.inf)
    low, high = _one_sided(low, high, alternative)
    return Lift(
        blank(status, value),
        blank(status, se),
        blank(status, low),
        blank(status, high),
        bounded & (m != 0),
        blank(status, excluded_low),
        blank(status, excluded_high),
        g,
        status,
    )


@quiet
def log_delta(pair: Pair, df: FloatArray, alpha: FloatArray, alternative: Alternative = "two-sided") -> Lift:
    """Interval of the ratio on the log scale.

    exp(log(t / c) -+ q s) - 1 with s^2 = var t / t^2 + var c / c^2 - 2 cov / (t c).

    Args:
        pair: Difference and baseline, shape (...).
        df: Degrees of freedom of the log ratio (Welch on scaled variances; infinity for the normal).
        alpha: Level.
        alternative: As the absolute test's.

    Returns:
        Lifts; status ``not_positive`` unless both means are above 0.

    Examples:
        >>> one = Pair(*(np.array(v) for v in (0.29, 0.41, 0.01557, 0.004464, -0.004464)))
        >>> log_delta(one, np.array(np.inf), np.array(0.05)).low.round(3)
        np.float64(0.105)
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    m, t = pair.baseline, pair.baseline + pair.diff
    value, _ = _linear(pair)
    var_t = pair.var_diff + pair.var_baseline + 2 * pair.covariance
    cov_t = pair.var_baseline + pair.covariance
    se = np.sqrt(np.maximum(var_t / t**2 + pair.var_baseline / m**2 - 2 * cov_t / (t * m), 0.0))
    q = t_quantile(alpha / 2.0 if alternative == "two-sided" else alpha, df)
    log_ratio = np.log1p(value)
    status = reasons(
        np.shape(value), [(m == 0, Reason.ZERO_BASELINE), ((m < 0) | (t <= 0), Reason.NOT_POSITIVE)]
    )
    ends = _one_sided(np.expm1(log_ratio - q * se), np.expm1(log_ratio + q * se), alternative)
    return _plain(value, se, ends, q**2 * pair.var_baseline / m**2, status)


@quiet
def delta(pair: Pair, quantile: FloatArray, alternative: Alternative = "two-sided") -> Lift:
    """Linear delta-method interval of diff / |baseline|.

    var = var_diff / m^2 - 2 diff cov / m^3 + diff^2 var_baseline / m^4. Its interval and the absolute test
    can disagree, and its misses are unbalanced for rare events; Fieller's is the default.

    Args:
        pair: Difference and baseline, shape (...).
        quantile: Critical value.
        alternative: As the absolute test's.

    Returns:
        Lifts; status ``zero_baseline`` where the baseline is 0.

    Examples:
        >>> one = Pair(*(np.array(v) for v in (0.29, 0.41, 0.01557, 0.004464, -0.004464)))
        >>> delta(one, np.array(1.959964)).low.round(3)
        np.float64(-0.035)
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    pair = pair.upright()
    value, se = _linear(pair)
    status = reasons(np.shape(value), [(pair.baseline == 0, Reason.ZERO_BASELINE)])
    ends = _one_sided(value - quantile * se, value + quantile * se, alternative)
    return _plain(value, se, ends, quantile**2 * pair.var_baseline / pair.baseline**2, status)


def _linear(pair: Pair) -> tuple[FloatArray, FloatArray]:
    value = pair.diff / pair.baseline
    variance = pair.var_diff - 2 * value * pair.covariance + value**2 * pair.var_baseline
    return value, np.sqrt(np.maximum(variance, 0.0)) / np.abs(pair.baseline)


def _one_sided(low: FloatArray, high: FloatArray, alternative: Alternative) -> tuple[FloatArray, FloatArray]:
    if alternative == "two-sided":
        return low, high
    none = np.full(np.shape(low), np.inf)
    return (low, none) if alternative == "greater" else (-none, high)


def _plain(
    value: FloatArray, se: FloatArray, ends: tuple[FloatArray, FloatArray], g: FloatArray, status: StatusArray
) -> Lift:
    nothing = np.full(np.shape(value), np.nan)
    return Lift(
        blank(status, value),
        blank(status, se),
        blank(status, ends[0]),
        blank(status, ends[1]),
        np.asarray(status == Reason.OK),
        nothing,
        nothing,
        g,
        status,
    )
