"""Tail probabilities that stay true far out, and the one place where a statistic becomes p and interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import FloatArray, as_choice
from fairsplit.analysis.statistics.status import quiet

Alternative: TypeAlias = Literal["two-sided", "less", "greater"]
ALTERNATIVES = ("two-sided", "less", "greater")

#: Below this a probability's logarithm is computed directly instead of from the probability.
_TINY = 1e-290
#: Terms of the continued fractions; far out some dozens suffice.
_TERMS = 200
#: Degrees of freedom, plus ten times t squared, from which a transformation to the normal is exact enough.
_LARGE_DF = 1000.0
#: Degrees of freedom over (z^2 + 1) from which four terms of Fisher's expansion are exact to rounding.
_SERIES_DF = 300.0
_LOG_2 = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class Inference:
    """A statistic's probability and the interval that inverts the same test.

    Attributes:
        statistic: Estimate minus null over standard error.
        p_value: In [0, 1]; 0 only where it underflows, then `log_p` still tells it.
        log_p: Natural logarithm of the p-value.
        quantile: The critical value that the interval uses.
        ci_low: Lower end; minus infinity for the alternative ``less``.
        ci_high: Upper end; infinity for the alternative ``greater``.
    """

    statistic: FloatArray
    p_value: FloatArray
    log_p: FloatArray
    quantile: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray


@quiet
def t_sf(t: FloatArray, df: FloatArray) -> FloatArray:
    """P(T > t) of Student's t; infinite degrees of freedom mean the normal.

    Examples:
        >>> f"{t_sf(np.array(10.0), np.array(np.inf)):.10e}"
        '7.6198530242e-24'
    """
    normal = np.isposinf(df)
    if normal.all():
        return np.asarray(special.ndtr(-t))
    large = df > _LARGE_DF + 10.0 * t**2
    if large.all() and not normal.any():
        return _t_sf_large(t, df)
    exact = special.stdtr(np.where(large, 1.0, df), -t)
    finite = np.where(large, _t_sf_large(t, np.where(normal, 1.0, df)), exact)
    return np.where(normal, special.ndtr(-t), finite)


def _t_sf_large(t: FloatArray, df: FloatArray) -> FloatArray:
    """Hill's normalising transformation (1970, CACM algorithm 395): relative error below 1e-12 where used."""
    a = df - 0.5
    b = 48.0 * a**2
    y = a * np.log1p(t**2 / df)
    correction = (((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y**2 + 100.0 + b)
    z = ((correction + y + 3.0) / b + 1.0) * np.sqrt(y)
    return np.asarray(special.ndtr(np.copysign(z, -t)))


@quiet
def t_log_sf(t: FloatArray, df: FloatArray) -> FloatArray:
    """Natural logarithm of P(T > t), true where the probability itself underflows.

    Far out, P(T > t) = I_x(df/2, 1/2) / 2 with x = df / (df + t^2); the incomplete beta function's continued
    fraction (DLMF 8.17.22) is evaluated in logarithms.

    Examples:
        >>> round(float(t_log_sf(np.array(40.0), np.array(np.inf))), 6)
        -804.608442
        >>> round(float(t_log_sf(np.array(1e200), np.array(3.0))), 3)
        -1381.453
    """
    return _t_log_of(t_sf(t, df), t, df)


def _t_log_of(p: FloatArray, t: FloatArray, df: FloatArray) -> FloatArray:
    """Logarithm of tail probabilities already computed; those too small are computed anew."""
    out: FloatArray = np.array(np.log(p))
    far = (p < _TINY) & (t > 0)
    if far.any():
        every_t, every_df = (np.broadcast_to(np.asarray(v, dtype=np.float64), out.shape) for v in (t, df))
        out[far] = _t_log_sf_far(every_t[far], every_df[far])
    return out


def _t_log_sf_far(t: FloatArray, df: FloatArray) -> FloatArray:
    normal = np.isposinf(df)
    df_ = np.where(normal, 1.0, df)
    log_odds = 2.0 * np.log(t) - np.log(df_)  # t^2 / df without overflow
    beta = _log_incomplete_beta(df_ / 2.0, np.full_like(df_, 0.5), log_odds)
    return np.where(normal, special.log_ndtr(-t), beta - _LOG_2)


def _log_incomplete_beta(a: FloatArray, b: FloatArray, log_odds: FloatArray) -> FloatArray:
    """Log of I_x(a, b), (1 - x) / x = exp(log_odds), far from the mean, where the fraction settles fast."""
    log_x = -np.logaddexp(0.0, log_odds)
    x = np.exp(log_x)
    fraction = np.ones_like(x)
    for step in range(_TERMS, 0, -1):
        m = step // 2
        if step % 2:
            d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        fraction = 1.0 + d / fraction
    return a * log_x + b * (log_x + log_odds) - np.log(a) - special.betaln(a, b) - np.log(fraction)


@quiet
def f_log_sf(statistic: FloatArray, df_num: FloatArray, df_den: FloatArray) -> FloatArray:
    """Natural logarithm of P(F > statistic), true where the probability underflows.

    Examples:
        >>> round(float(f_log_sf(np.array(4.0), np.array(2.0), np.array(20.0))), 4)
        -3.3647
    """
    f, d1, d2 = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (statistic, df_num, df_den)))
    p = special.fdtrc(d1, d2, f)
    out: FloatArray = np.array(np.log(p))
    far = (p < _TINY) & np.isfinite(f)
    if far.any():
        out[far] = _log_incomplete_beta(
            d2[far] / 2.0, d1[far] / 2.0, np.log(f[far]) + np.log(d1[far]) - np.log(d2[far])
        )
    return out


@quiet
def t_quantile(upper: FloatArray, df: FloatArray) -> FloatArray:
    """The t with P(T > t) = upper; infinite degrees of freedom mean the normal.

    Examples:
        >>> round(float(t_quantile(np.array(0.025), np.array(10.0))), 6)
        2.228139
    """
    z = -special.ndtri(upper)
    series = np.asarray((z**2 + 1.0) * _SERIES_DF < df)
    if series.all():
        return _t_quantile_series(z, df)
    exact = -special.stdtrit(np.where(series, 1.0, df), upper)
    return np.where(series, _t_quantile_series(z, df), exact)


def _t_quantile_series(z: FloatArray, df: FloatArray) -> FloatArray:
    """Abramowitz and Stegun 26.7.5: Fisher's expansion around the normal quantile; exact to rounding here."""
    s = z**2
    terms = (
        (s + 1.0) * z / 4.0,
        ((5.0 * s + 16.0) * s + 3.0) * z / 96.0,
        (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) * z / 384.0,
        ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) * z / 92160.0,
    )
    v = 1.0 / df
    return z + v * (terms[0] + v * (terms[1] + v * (terms[2] + v * terms[3])))


@quiet
def infer(
    estimate: FloatArray,
    se: FloatArray,
    df: FloatArray | float,
    alpha: FloatArray,
    alternative: Alternative = "two-sided",
    *,
    null: FloatArray | float = 0.0,
) -> Inference:
    """Test ``estimate = null`` by Student's t and invert the test.

    Args:
        estimate: Estimates, any shape.
        se: Standard errors.
        df: Degrees of freedom; infinity for the normal.
        alpha: Level of the test; the interval has confidence ``1 - alpha``.
        alternative: ``two-sided``, ``less`` (estimate below null) or ``greater``.
        null: Value under the null hypothesis.

    Returns:
        Statistic, p-value and interval. The interval excludes `null` exactly when ``p < alpha``.

    Raises:
        InputError: ``unknown_choice``.

    Examples:
        >>> r = infer(np.array(2.0), np.array(1.0), np.inf, np.array(0.05))
        >>> round(float(r.p_value), 4), round(float(r.ci_low), 4)
        (0.0455, 0.04)
    """
    as_choice(alternative, "alternative", ALTERNATIVES)
    df = np.asarray(df, dtype=np.float64)
    statistic = (estimate - null) / se
    if alternative == "two-sided":
        tail = np.abs(statistic)
        one_sided = t_sf(tail, df)
        p, log_p = 2.0 * one_sided, _LOG_2 + _t_log_of(one_sided, tail, df)
        quantile = t_quantile(alpha / 2.0, df)
        low, high = estimate - quantile * se, estimate + quantile * se
    else:
        tail = statistic if alternative == "greater" else -statistic
        p = t_sf(tail, df)
        log_p = _t_log_of(p, tail, df)
        quantile = t_quantile(alpha, df)
        infinite = np.full(np.shape(estimate - quantile * se), np.inf)
        low = estimate - quantile * se if alternative == "greater" else -infinite
        high = infinite if alternative == "greater" else estimate + quantile * se
    return Inference(statistic, p, log_p, quantile, low, high)
