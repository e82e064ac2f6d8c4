"""Means: Welch's t with its own interval, and the relative lift on the same statistic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_level
from fairsplit.analysis.statistics.comparisons import Comparison, compare, mean_estimate, welch_df
from fairsplit.analysis.statistics.lifts import Lift, Pair, fieller
from fairsplit.analysis.statistics.status import Reason, combined, quiet, reasons
from fairsplit.analysis.statistics.tails import t_quantile

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray
    from fairsplit.analysis.statistics.lifts import LiftMethod
    from fairsplit.analysis.statistics.moments import Moments
    from fairsplit.analysis.statistics.tails import Alternative


def welch(
    control: Moments,
    treatment: Moments,
    alpha: Any = 0.05,
    alternative: Alternative = "two-sided",
    *,
    null: FloatArray | float = 0.0,
    relative: LiftMethod = "fieller",
) -> Comparison:
    """Welch's t-test of treatment minus control (Welch 1947), arms of unequal variance.

    Args:
        control: Moments of the control, shape (...).
        treatment: Moments of the treatment, broadcastable.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.
        null: Difference under the null hypothesis, in the metric's unit.
        relative: Interval of the relative lift.

    Returns:
        Comparisons; `adequate` from 30 units per arm.

    Raises:
        InputError: For alpha outside (0, 1) and unknown words.

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> c = Moments.from_values([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
        >>> t = Moments.from_values([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
        >>> r = welch(c, t)
        >>> round(r.statistic.item(), 4), round(r.df.item(), 3), round(r.p_value.item(), 5)
        (-1.8608, 17.776, 0.07939)
    """
    return compare(
        mean_estimate(control), mean_estimate(treatment), alpha, alternative, null=null, relative=relative
    )


@quiet
def fieller_of_means(
    control: Moments, treatment: Moments, alpha: Any = 0.05, *, equal_variance: bool = False
) -> Lift:
    """Fieller's interval of the lift of two means with its own degrees of freedom, as in R's mratios.

    With equal variances the pooled variance and n_c + n_t - 2 degrees of freedom; else Satterthwaite's for
    mean_t - r mean_c at the observed ratio r (Hasler, Vonk and Hothorn 2008). The default of `welch` uses the
    absolute test's degrees of freedom instead, so that test and interval agree.

    Args:
        control: Moments of the control, shape (...).
        treatment: Moments of the treatment, broadcastable.
        alpha: Level(s).
        equal_variance: Whether to pool the variances.

    Returns:
        Lifts.

    Raises:
        InputError: For alpha outside (0, 1).

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> c, t = Moments.from_summary(100, 2.0, 1.0), Moments.from_summary(100, 2.5, 1.0)
        >>> fieller_of_means(c, t).low.round(3)
        np.float64(0.103)
    """
    level = as_level(alpha)
    c, t = mean_estimate(control), mean_estimate(treatment)
    v_c, v_t = c.variance, t.variance
    if equal_variance:
        df = control.n + treatment.n - 2.0
        pooled = (control.m2 + treatment.m2) / df
        v_c, v_t = pooled / control.n, pooled / treatment.n
    else:
        df = welch_df(((t.value / c.value) ** 2 * v_c, v_t), (c.df, t.df))
    pair = Pair(t.value - c.value, c.value, v_c + v_t, v_c, -v_c)
    shape = np.broadcast_shapes(pair.diff.shape, level.shape)
    status = combined(
        np.broadcast_to(c.status, shape),
        np.broadcast_to(t.status, shape),
        reasons(shape, [(np.asarray(v_c + v_t == 0), Reason.ZERO_VARIANCE)]),
    )
    return fieller(pair, t_quantile(level / 2.0, df)).within(status)
