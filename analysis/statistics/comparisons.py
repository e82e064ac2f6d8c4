"""Treatment against control: difference, test, interval and relative lift, all from one statistic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_choice, as_level
from fairsplit.analysis.statistics.lifts import (
    LIFT_METHODS,
    Lift,
    LiftMethod,
    Pair,
    delta,
    fieller,
    log_delta,
)
from fairsplit.analysis.statistics.status import Reason, blank, combined, quiet, reasons
from fairsplit.analysis.statistics.tails import infer

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray
    from fairsplit.analysis.statistics.histograms import Histograms
    from fairsplit.analysis.statistics.moments import Moments
    from fairsplit.analysis.statistics.tails import Alternative


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """One arm's estimate (a mean, a ratio of sums, …) and its sampling variance, per comparison.

    Attributes:
        n: Units.
        value: The estimate.
        variance: Squared standard error of the estimate.
        df: Degrees of freedom of that variance.
        status: `Reason` codes.
    """

    n: FloatArray
    value: FloatArray
    variance: FloatArray
    df: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Treatment minus control, per comparison; NaN wherever `status` is not OK.

    Attributes:
        n_control: Units of the control.
        n_treatment: Units of the treatment.
        control: The control's estimate.
        treatment: The treatment's estimate (adjusted, where a covariate is).
        diff: Treatment minus control.
        se: Its standard error.
        df: Degrees of freedom (Welch-Satterthwaite).
        statistic: (diff - null) / se.
        p_value: Two-sided unless declared otherwise.
        log_p: Its natural logarithm, also where it underflows.
        ci_low: Interval of the difference at confidence 1 - alpha; it inverts the test.
        ci_high: Upper end.
        rel: The relative lift with its interval; carries its own status.
        alpha: Level.
        adequate: True where both arms reach the method's recommended size.
        status: `Reason` codes.
    """

    n_control: FloatArray
    n_treatment: FloatArray
    control: FloatArray
    treatment: FloatArray
    diff: FloatArray
    se: FloatArray
    df: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    log_p: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    rel: Lift
    alpha: FloatArray
    adequate: BoolArray
    status: StatusArray


def without_means(
    both: Histograms,
    difference: FloatArray,
    std_error: FloatArray,
    statistic: FloatArray,
    p: tuple[FloatArray, FloatArray],
    ends: tuple[FloatArray, FloatArray],
    alpha: FloatArray,
    status: StatusArray,
) -> Comparison:
    """What a test found that compares values themselves: it has no means, and so no relative lift.

    Args:
        both: The values of both arms, for their units.
        difference: In the test's own sense, shape (comparisons,) like all that follows.
        std_error: Of the difference; NaN where the test has none.
        statistic: Of the test.
        p: The p-values and their natural logarithms.
        ends: Of the difference's interval, which holds them.
        alpha: Levels.
        status: `Reason` codes.
    """
    nothing, no = np.full(both.size, np.nan), np.zeros(both.size, dtype=np.bool_)
    unknown = np.where(status == Reason.OK, Reason.INFEASIBLE, status).astype(np.int8)
    return Comparison(
        n_control=both.n_control,
        n_treatment=both.n_treatment,
        control=nothing,
        treatment=nothing,
        diff=difference,
        se=std_error,
        df=np.full(both.size, np.inf),
        statistic=statistic,
        p_value=p[0],
        log_p=p[1],
        ci_low=ends[0],
        ci_high=ends[1],
        rel=Lift(nothing, nothing, nothing, nothing, no, nothing, nothing, nothing, unknown),
        alpha=alpha,
        adequate=no,
        status=status,
    )


@quiet
def mean_estimate(moments: Moments) -> Estimate:
    """A mean with its sampling variance.

    Args:
        moments: Per arm, shape (...).

    Returns:
        Estimates; status ``no_exposure`` without units, ``insufficient_sample`` with one, ``zero_denominator``
        for a linearised ratio that does not exist.

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> mean_estimate(Moments.from_values([1.0, 3.0])).variance
        array(1.)
    """
    n = moments.n
    status = reasons(
        n.shape,
        [
            (n == 0, Reason.NO_EXPOSURE),
            # Only `ratios.linearised` makes a mean that is no number.
            (~np.isfinite(moments.mean), Reason.ZERO_DENOMINATOR),
            (n < 2, Reason.INSUFFICIENT_SAMPLE),
        ],
    )
    return Estimate(n, blank(status, moments.mean), moments.variance_of_mean, n - 1.0, status)


@quiet
def welch_df(variances: tuple[FloatArray, FloatArray], dfs: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Welch-Satterthwaite degrees of freedom of a sum of two independent variance estimates.

    Args:
        variances: Variances of the two means.
        dfs: Degrees of freedom of each.

    Returns:
        (v1 + v2)^2 / (v1^2 / df1 + v2^2 / df2).

    Examples:
        >>> float(welch_df((np.array(1.0), np.array(1.0)), (np.array(9.0), np.array(9.0))))
        18.0
    """
    a, b = variances
    total = a + b
    # Shares, not squares of variances: those underflow for rates of 1e-7 among 1e12 units.
    return 1.0 / ((a / total) ** 2 / dfs[0] + (b / total) ** 2 / dfs[1])


@quiet
def compare(
    control: Estimate,
    treatment: Estimate,
    alpha: Any = 0.05,
    alternative: Alternative = "two-sided",
    *,
    null: FloatArray | float = 0.0,
    relative: LiftMethod = "fieller",
    recommended_n: float = 30.0,
) -> Comparison:
    """Compare two independent estimates by Welch's t, with the relative lift on the same statistic.

    Args:
        control: The control's estimates, shape (...).
        treatment: The treatment's estimates, broadcastable.
        alpha: Level(s) of the test.
        alternative: ``two-sided``, ``less`` or ``greater`` (treatment against control).
        null: Difference under the null hypothesis.
        relative: Interval of the relative lift: ``fieller`` (default), ``log_delta`` or ``delta``.
        recommended_n: Units per arm from which the result counts as adequate.

    Returns:
        Comparisons; status ``zero_variance`` where neither arm varies.

    Raises:
        InputError: For alpha outside (0, 1) and unknown words.

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> c, t = (mean_estimate(Moments.from_summary(100, m, 1.0)) for m in (1.0, 1.5))
        >>> r = compare(c, t)
        >>> r.diff.item(), round(r.p_value.item(), 6), r.rel.value.item()
        (0.5, 0.000507, 0.5)
    """
    as_choice(relative, "relative", LIFT_METHODS)
    level = as_level(alpha)
    pair = Pair(
        treatment.value - control.value,
        np.broadcast_to(control.value, np.shape(treatment.value - control.value)),
        treatment.variance + control.variance,
        control.variance,
        -control.variance,
    )
    df = welch_df((control.variance, treatment.variance), (control.df, treatment.df))
    shape = np.broadcast_shapes(pair.diff.shape, level.shape)
    status = combined(
        np.broadcast_to(control.status, shape),
        np.broadcast_to(treatment.status, shape),
        reasons(shape, [(pair.var_diff == 0, Reason.ZERO_VARIANCE)]),
    )
    if relative == "log_delta":
        scaled = (control.variance / control.value**2, treatment.variance / treatment.value**2)
        lift = log_delta(pair, welch_df(scaled, (control.df, treatment.df)), level, alternative)
    else:
        lift = None
    return conclude(
        (control, treatment),
        pair,
        df,
        level,
        status,
        alternative=alternative,
        null=null,
        lift=lift if lift is not None else relative,
        recommended_n=recommended_n,
    )


@quiet
def conclude(
    arms: tuple[Estimate, Estimate],
    pair: Pair,
    df: FloatArray,
    level: FloatArray,
    status: StatusArray,
    *,
    alternative: Alternative = "two-sided",
    null: FloatArray | float = 0.0,
    lift: Lift | LiftMethod = "fieller",
    recommended_n: float = 30.0,
) -> Comparison:
    """Finish a comparison whose difference and variances are known (plain, ratio or covariate-adjusted).

    Args:
        arms: Control and treatment.
        pair: Difference, baseline, their variances and covariance.
        df: Degrees of freedom of the test.
        level: alpha, checked.
        status: What is known so far.
        alternative: As in `compare`.
        null: As in `compare`.
        lift: A finished lift, or ``fieller`` or ``delta`` to compute with the test's own quantile.
        recommended_n: As in `compare`.

    Returns:
        Comparisons with every number blanked where the status is not OK.

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> arm = mean_estimate(Moments.from_summary(10, 2.0, 1.0))
        >>> one = Pair(*(np.array(v) for v in (0.5, 2.0, 0.2, 0.1, -0.1)))
        >>> r = conclude((arm, arm), one, np.array(18.0), np.array(0.05), np.zeros((), dtype=np.int8))
        >>> round(r.p_value.item(), 4)
        0.2783
    """
    control, treatment = arms
    se = np.sqrt(pair.var_diff)
    test = infer(pair.diff, se, df, level, alternative, null=null)
    if not isinstance(lift, Lift):
        lift = (fieller if lift == "fieller" else delta)(pair, test.quantile, alternative)
    shape = status.shape

    def full(values: FloatArray) -> FloatArray:
        return blank(status, np.broadcast_to(values, shape))

    return Comparison(
        n_control=np.broadcast_to(control.n, shape),
        n_treatment=np.broadcast_to(treatment.n, shape),
        control=np.broadcast_to(control.value, shape),
        treatment=np.broadcast_to(treatment.value, shape),
        diff=full(pair.diff),
        se=full(se),
        df=full(df),
        statistic=full(test.statistic),
        p_value=full(test.p_value),
        log_p=full(test.log_p),
        ci_low=full(test.ci_low),
        ci_high=full(test.ci_high),
        rel=lift.within(status),
        alpha=np.broadcast_to(level, shape),
        adequate=np.broadcast_to((control.n >= recommended_n) & (treatment.n >= recommended_n), shape),
        status=status,
    )
