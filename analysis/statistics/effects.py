"""Standardised effects: Cohen's d, Hedges' g, Cohen's h, with labels and the noncentral-t interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special
from scipy.optimize import elementwise

from fairsplit.analysis.statistics.checks import as_floats, as_level, as_rates
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairsplit.analysis.statistics.checks import FloatArray, StatusArray
    from fairsplit.analysis.statistics.moments import Moments

#: |d| and |h| from which the label changes.
_BOUNDS = np.array([0.2, 0.5, 0.8, 1.2])
_LABELS = np.array(["negligible", "small", "medium", "large", "very large"])
#: Above these degrees of freedom the noncentral t is normal to more digits than an effect has.
_NORMAL_DF = 1e5


@dataclass(frozen=True, slots=True, eq=False)
class StandardisedEffect:
    """Standardised mean differences.

    Attributes:
        d: Cohen's d, treatment minus control, in standard deviations.
        g: Hedges' g: d without its small-sample bias.
        ci_low: Lower end of d's interval.
        ci_high: Upper end.
        df: Degrees of freedom of the standardiser.
        status: `Reason` codes.
    """

    d: FloatArray
    g: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    df: FloatArray
    status: StatusArray


@quiet
def cohens_d(
    control: Moments, treatment: Moments, alpha: Any = 0.05, *, pooled: bool = True
) -> StandardisedEffect:
    """Cohen's d with the interval that inverts the noncentral t (Cumming and Finch 2001), and Hedges' g.

    Args:
        control: Moments of the control, shape (...).
        treatment: Moments of the treatment, broadcastable.
        alpha: Level(s).
        pooled: Standardise by the pooled standard deviation; else by the root of the mean variance.

    Returns:
        Effects.

    Raises:
        InputError: For alpha outside (0, 1).

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> r = cohens_d(Moments.from_summary(20, 1.0, 2.0), Moments.from_summary(20, 2.0, 2.0))
        >>> r.d.item(), round(r.ci_low.item(), 3), round(r.ci_high.item(), 3)
        (0.5, -0.133, 1.127)
    """
    level = as_level(alpha)
    n_c, n_t = control.n, treatment.n
    v_c, v_t = control.variance, treatment.variance
    if pooled:
        df = n_c + n_t - 2.0
        sd = np.sqrt((control.m2 + treatment.m2) / df)
        scale = np.sqrt(1.0 / n_c + 1.0 / n_t)
    else:
        a, b = v_c / n_c, v_t / n_t
        df = (a + b) ** 2 / (a**2 / (n_c - 1.0) + b**2 / (n_t - 1.0))
        sd = np.sqrt((v_c + v_t) / 2.0)
        scale = np.sqrt(a + b) / sd
    d = (treatment.mean - control.mean) / sd
    shape = np.broadcast_shapes(d.shape, level.shape)
    status = reasons(
        shape,
        [
            ((n_c == 0) | (n_t == 0), Reason.NO_EXPOSURE),
            ((n_c < 2) | (n_t < 2), Reason.INSUFFICIENT_SAMPLE),
            (control.m2 + treatment.m2 == 0, Reason.ZERO_VARIANCE),
        ],
    )
    t, df, level, scale = (np.broadcast_to(v, shape) for v in (d / scale, df, level, scale))
    low, high = noncentrality_interval(t, np.where(status == Reason.OK, df, np.nan), level)
    correction = np.exp(
        special.gammaln(df / 2.0) - special.gammaln((df - 1.0) / 2.0) - 0.5 * np.log(df / 2.0)
    )
    correction = np.where(df > _NORMAL_DF, 1.0 - 0.75 / df, correction)
    full = np.broadcast_to(d, shape)
    return StandardisedEffect(
        blank(status, full),
        blank(status, full * correction),
        blank(status, low * scale),
        blank(status, high * scale),
        blank(status, df),
        status,
    )


@quiet
def noncentrality_interval(t: FloatArray, df: FloatArray, alpha: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Noncentrality parameters under which `t` is the upper and the lower alpha/2 quantile.

    Args:
        t: Observed t statistics, any shape.
        df: Degrees of freedom; above 1e5 the normal is used; NaN gives NaN.
        alpha: Level(s).

    Returns:
        Lower and upper noncentrality.

    Examples:
        >>> low, high = noncentrality_interval(np.array(2.0), np.array(10.0), np.array(0.05))
        >>> low.round(3), high.round(3)
        (np.float64(-0.184), np.float64(4.101))
    """
    t, df, alpha = np.broadcast_arrays(t, df, alpha)
    z = -special.ndtri(alpha / 2.0)
    spread = np.sqrt(1.0 + t**2 / (2.0 * df))
    ends = [t - z * spread, t + z * spread]
    small = np.isfinite(df) & np.isfinite(t) & (df <= _NORMAL_DF)
    if not np.any(small):
        return ends[0], ends[1]
    x, k, a = t[small], df[small], alpha[small]
    out = []
    for end, target in zip(ends, (1.0 - a / 2.0, a / 2.0), strict=True):
        values = np.array(end)
        start, width = values[small], np.maximum(spread[small], 1.0)
        found = elementwise.find_root(
            _nct_gap,
            (start - 3.0 * width, start + 3.0 * width),
            args=(target, x, k),
            tolerances={"xrtol": 1e-13, "xatol": 1e-13},
        )
        values[small] = np.where(found.success, found.x, np.nan)
        out.append(values)
    return out[0], out[1]


def _nct_gap(nc: FloatArray, goal: FloatArray, t: FloatArray, df: FloatArray) -> FloatArray:
    from scipy import stats  # noqa: PLC0415 - half a second, which only small samples need

    gap: FloatArray = stats.nct.cdf(t, df, nc) - goal
    return gap


def cohens_h(rate_c: Any, rate_t: Any) -> FloatArray:
    """Cohen's h, 2 asin(sqrt(rate_t)) - 2 asin(sqrt(rate_c)).

    Args:
        rate_c: Rates of the control in [0, 1].
        rate_t: Rates of the treatment.

    Returns:
        Effects in [-pi, pi].

    Raises:
        InputError: For rates outside [0, 1].

    Examples:
        >>> cohens_h(0.4, 0.5).round(6)
        np.float64(0.201358)
    """
    c, t = as_rates(rate_c, "rate_c"), as_rates(rate_t, "rate_t")
    return 2.0 * (np.arcsin(np.sqrt(t)) - np.arcsin(np.sqrt(c)))


def effect_label(effect: Any) -> NDArray[Any]:
    """The word for |d| or |h|: negligible < 0.2 <= small < 0.5 <= medium < 0.8 <= large < 1.2 <= very large.

    Raises:
        InputError: For NaN and infinities; blank elements have no label.

    Examples:
        >>> effect_label([0.1, -0.5, 2.0])
        array(['negligible', 'medium', 'very large'], dtype='<U10')
    """
    return _LABELS[np.searchsorted(_BOUNDS, np.abs(as_floats(effect, "effect")), side="right")]
