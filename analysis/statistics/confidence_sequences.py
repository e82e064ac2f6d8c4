"""Asymptotic confidence sequences: intervals and p-values that hold however often one looks.

Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Annals of Statistics 52, 2613 (arXiv 2103.06476). With
u = t rho^2 the two-sided margin for unit variance at time t is sqrt(2 (u + 1) / (t^2 rho^2) log(sqrt(u + 1) /
alpha)). A comparison enters with its standard error: the margin is that error times the multiplier
sqrt((1 + 1/u) (log(1 + u) + 2 log(1 / alpha))), in which only n / planned n appears.
"""

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
    refuse,
    together,
)
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray, StatusArray

ALTERNATIVES = ("two-sided", "greater", "less")


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """One time point of confidence sequences, per comparison.

    Attributes:
        low: Closed lower bound, in units of the estimate; -inf for alternative ``less``.
        high: Closed upper bound; +inf for alternative ``greater``.
        multiplier: Margin over standard error: what takes the place of the normal quantile (a Fieller
            interval with it agrees with this one).
        p_value: Always-valid at this look; its running minimum over looks is valid too.
        log_p_value: Natural logarithm, exact where the p-value underflows.
        status: `Reason` codes: ``insufficient_sample`` below two units, ``zero_variance``.
    """

    low: FloatArray
    high: FloatArray
    multiplier: FloatArray
    p_value: FloatArray
    log_p_value: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class ConfidencePath:
    """A confidence sequence for a mean along one stream.

    Attributes:
        mean: Running mean, shape (..., n).
        low: Lower bound; -inf at the first value, where no variance exists yet.
        high: Upper bound.
    """

    mean: FloatArray
    low: FloatArray
    high: FloatArray


def best_rho2(planned: Any, alpha: Any = 0.05, *, alternative: str = "two-sided") -> FloatArray:
    """The rho^2 for which the sequence is tightest at a planned time, exactly.

    Args:
        planned: Time t*, above 0 (units).
        alpha: Error, in (0, 1).
        alternative: One-sided sequences are tuned at twice alpha.

    Returns:
        rho^2 = (-W_{-1}(-alpha^2 / e) - 1) / t*, broadcast shape.

    Raises:
        InputError: ``out_of_range``; one-sided alpha must be below 1/2.

    Source:
        Waudby-Smith et al. (2024), appendix on the choice of rho (Lambert's W, lower branch).

    Examples:
        >>> best_rho2([1000.0]).round(6)
        array([0.008212])
    """
    return _tuning(alpha, alternative) / as_positive(planned, "planned")


def approximate_rho2(planned: Any, alpha: Any = 0.05) -> FloatArray:
    """The first term of Lambert's asymptotic series for `best_rho2`: (-2 log a + log(1 - 2 log a)) / t*.

    Args:
        planned: Time t*, above 0.
        alpha: Error, in (0, 1).

    Returns:
        rho^2, broadcast shape.

    Raises:
        InputError: ``out_of_range``.

    Source:
        Waudby-Smith et al. (2024), choice of rho; the same as Howard et al. (2021), section 3.5.

    Examples:
        >>> approximate_rho2([1000.0]).round(6)
        array([0.007936])
    """
    evidence = -2.0 * np.log(as_level(alpha))
    return np.asarray((evidence + np.log1p(evidence)) / as_positive(planned, "planned"))


def unit_margin(time: Any, rho2: Any, alpha: Any = 0.05) -> FloatArray:
    """Two-sided margin around a mean of unit variance.

    Args:
        time: Observations so far, above 0.
        rho2: Tuning, above 0.
        alpha: Error, in (0, 1).

    Returns:
        Margin, broadcast shape.

    Raises:
        InputError: ``out_of_range``.

    Source:
        Waudby-Smith et al. (2024), theorem 2.2.

    Examples:
        >>> unit_margin([100, 1000], 0.0082).round(4)
        array([0.3825, 0.096 ])
    """
    t = as_positive(time, "time")
    return _multiplier(t * as_positive(rho2, "rho2"), as_level(alpha), "two-sided") / np.sqrt(t)


def sequence_multiplier(
    n: Any, planned: Any, alpha: Any = 0.05, *, alternative: str = "two-sided"
) -> FloatArray:
    """What takes the place of the normal quantile when every look counts: margin over standard error.

    Args:
        n: Units so far, above 0 (over all arms of the comparison, or any measure of information).
        planned: Units planned, in the same measure: there the sequence is tightest.
        alpha: Error, in (0, 1).
        alternative: ``two-sided``, ``greater`` or ``less``.

    Returns:
        Multiplier, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``unknown_choice``.

    Source:
        Waudby-Smith et al. (2024), theorem 2.2 and its one-sided form.

    Examples:
        >>> sequence_multiplier([100, 1000, 10000], 1000).round(3)
        array([3.823, 3.035, 3.246])
    """
    scale = best_rho2(planned, alpha, alternative=alternative)
    return _multiplier(as_positive(n, "n") * scale, as_level(alpha), alternative)


@quiet
def confidence_sequence(
    estimate: Any,
    std_error: Any,
    n: Any,
    planned: Any,
    alpha: Any = 0.05,
    *,
    alternative: str = "two-sided",
    null: Any = 0.0,
) -> ConfidenceSequence:
    """Anytime-valid intervals and p-values for comparisons at a cut-off.

    Args:
        estimate: Effects, any shape.
        std_error: Their standard errors at this cut-off.
        n: Units so far in both arms; the shares of the arms are taken to be steady over time.
        planned: Units planned, above 0: where the sequence is tightest. It must not depend on the data.
        alpha: The full error (no halving for two sides).
        alternative: ``two-sided``; ``greater`` (lower bound only) or ``less``.
        null: Effect under the null hypothesis.

    Returns:
        Arrays of the broadcast shape. The p-value is at most alpha exactly when the interval leaves out
        `null`.

    Raises:
        InputError: NaN or infinite numbers, negative errors, alpha outside (0, 1), unknown alternative.

    Source:
        Waudby-Smith et al. (2024), theorem 2.2 and its one-sided form; p-value by inversion.

    Examples:
        >>> r = confidence_sequence([0.5, 0.0], 0.1, 5000, 10000)
        >>> r.low.round(3), r.p_value.round(5)
        (array([ 0.192, -0.308]), array([1.e-04, 1.e+00]))
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    est, se, count, plan, level, zero = together(
        {
            "estimate": as_floats(estimate, "estimate"),
            "std_error": as_non_negative(std_error, "std_error"),
            "n": as_counts(n, "n"),
            "planned": as_positive(planned, "planned"),
            "alpha": as_level(alpha),
            "null": as_floats(null, "null"),
        }
    )
    status = reasons(est.shape, [(count < 2, Reason.INSUFFICIENT_SAMPLE), (se == 0, Reason.ZERO_VARIANCE)])
    u = np.where(count > 0, count, 1.0) * _tuning(level, alternative) / plan
    multiplier = _multiplier(u, level, alternative)
    z = (est - zero) / np.where(se > 0, se, 1.0)
    log_p = _log_p(z if alternative != "less" else -z, u, alternative)
    infinite = np.full(est.shape, np.inf)
    low = est - multiplier * se if alternative != "less" else -infinite
    high = est + multiplier * se if alternative != "greater" else infinite
    return ConfidenceSequence(
        low=blank(status, low),
        high=blank(status, high),
        multiplier=blank(status, multiplier),
        p_value=blank(status, np.exp(log_p)),
        log_p_value=blank(status, log_p),
        status=status,
    )


def running_minimum(p_value: Any, axis: int = -1) -> FloatArray:
    """The smallest p-value up to each look: still always-valid, and never rising.

    Args:
        p_value: p-values along `axis` in order of time; NaN where a look had none.
        axis: Axis of time.

    Returns:
        Same shape; NaN until the first p-value.

    Raises:
        InputError: ``out_of_range`` for numbers outside [0, 1]; ``shape_mismatch`` for a scalar.

    Examples:
        >>> running_minimum([float("nan"), 0.2, 0.04, 0.3])
        array([ nan, 0.2 , 0.04, 0.04])
    """
    p = as_padded(p_value, "p_value")
    if p.ndim == 0:
        raise refuse("shape_mismatch", "no axis of time", "p_value", rule="an array over looks")
    if np.any((p < 0) | (p > 1)):
        raise refuse("out_of_range", "not a p-value", "p_value", rule="between 0 and 1")
    return np.asarray(np.fmin.accumulate(p, axis=axis), dtype=np.float64)


@quiet
def confidence_path(x: Any, planned: Any, alpha: Any = 0.05) -> ConfidencePath:
    """The two-sided confidence sequence of a mean at every observation, with running mean and variance.

    Args:
        x: Values in order, shape (..., n).
        planned: Observations at which the sequence is tightest.
        alpha: The full error.

    Returns:
        Running means and bounds of shape (..., n).

    Raises:
        InputError: NaN or infinite values, ``shape_mismatch`` for a scalar.

    Source:
        Waudby-Smith et al. (2024), theorem 2.2; variance with divisor t - 1.

    Examples:
        >>> confidence_path([0.0, 1.0, 0.0, 1.0], 100).high.round(2)
        array([ inf, 3.8 , 2.2 , 1.95])
    """
    values = as_floats(x, "x")
    if values.ndim == 0:
        raise refuse("shape_mismatch", "no axis of time", "x", rule="an array of values")
    t = np.arange(1.0, values.shape[-1] + 1.0)
    # around the first value, so that a large common offset costs no digits
    centred = values - values[..., :1]
    mean = np.cumsum(centred, axis=-1) / t
    square = np.cumsum(centred**2, axis=-1) - t * mean**2
    variance = np.maximum(square, 0.0) / np.where(t > 1, t - 1.0, 1.0)
    margin = np.sqrt(variance) * unit_margin(t, best_rho2(planned, alpha), alpha)
    margin = np.where(t > 1, margin, np.inf)
    mean = mean + values[..., :1]
    return ConfidencePath(mean, mean - margin, mean + margin)


def _tuning(alpha: Any, alternative: str) -> FloatArray:
    """rho^2 t*: the root y of y = log(1 + y) - 2 log alpha, by Lambert's W."""
    as_choice(alternative, "alternative", ALTERNATIVES)
    level = as_level(alpha)
    if alternative != "two-sided":
        level = as_level(2.0 * level, "2 alpha")
    # plans share a few levels: Lambert's function is called once for each
    distinct, place = np.unique(level, return_inverse=True)
    log_level = np.log(distinct)
    argument = -np.exp(2.0 * log_level - 1.0)
    # where alpha^2 / e underflows (alpha < 1e-150) the fixed point itself converges in a few steps
    tiny = argument > -1e-300
    y = np.where(tiny, -2.0 * log_level, -np.real(special.lambertw(argument, -1)) - 1.0)
    for _ in range(8):
        y = np.where(tiny, np.log1p(y) - 2.0 * log_level, y)
    return np.asarray(y[place].reshape(level.shape), dtype=np.float64)


def _multiplier(u: FloatArray, alpha: FloatArray, alternative: str) -> FloatArray:
    if alternative == "two-sided":
        evidence = np.log1p(u) - 2.0 * np.log(alpha)
    else:
        evidence = 2.0 * np.log1p(np.sqrt(1.0 + u) / (2.0 * alpha))
    return np.asarray(np.sqrt((1.0 + 1.0 / u) * evidence), dtype=np.float64)


def _log_p(z: FloatArray, u: FloatArray, alternative: str) -> FloatArray:
    """Logarithm of the smallest alpha whose interval (with the same rho) leaves out the null."""
    half_square = 0.5 * z * z * u / (1.0 + u)
    if alternative == "two-sided":
        return np.minimum(0.0, 0.5 * np.log1p(u) - half_square)
    # z^2 u / (2 (1 + u)) = log(1 + sqrt(1 + u) / (2 p)); log(exp(h) - 1) = h + log(1 - exp(-h))
    log_excess = half_square + np.log(-np.expm1(-half_square))
    return np.where(z > 0, np.minimum(0.0, 0.5 * np.log1p(u) - np.log(2.0) - log_excess), 0.0)
