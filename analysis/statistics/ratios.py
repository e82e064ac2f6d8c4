"""Ratio metrics (sum of numerators over sum of denominators) by the delta method on unit totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.comparisons import Comparison, Estimate, compare
from fairsplit.analysis.statistics.moments import JointMoments
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray
    from fairsplit.analysis.statistics.lifts import LiftMethod
    from fairsplit.analysis.statistics.tails import Alternative


@quiet
def linearised(moments: JointMoments) -> JointMoments:
    """Replace numerator and denominator by the linearised ratio r + (y - r d) / mean d; covariates stay.

    The mean of the linearised variable is the ratio, and its variance is the delta method's
    (Deng, Knoblich and Lu 2018, "Applying the delta method in metric analytics", eq. 3), so everything that
    works for means (Welch, CUPED, post-stratification) works for ratios.

    Args:
        moments: Variables in the order numerator, denominator, covariates…; shape (..., k).

    Returns:
        Moments of k - 1 variables; NaN where the denominators sum to zero.

    Examples:
        >>> m = JointMoments.from_values([[1.0, 2.0], [2.0, 2.0], [3.0, 5.0]])
        >>> linearised(m).mean.round(4)
        array([0.6667])
    """
    y, d = moments.mean[..., 0], moments.mean[..., 1]
    ratio = y / d
    k = moments.size
    change = np.zeros((*moments.mean.shape[:-1], k - 1, k))
    change[..., 0, 0] = 1.0 / d
    change[..., 0, 1] = -ratio / d
    change[..., np.arange(1, k - 1), np.arange(2, k)] = 1.0
    mean = np.concatenate([ratio[..., None], moments.mean[..., 2:]], axis=-1)
    m2 = change @ moments.m2 @ np.swapaxes(change, -1, -2)
    # Numerators exactly proportional to denominators leave rounding, not variance.
    size = moments.m2[..., 0, 0] / d**2 + ratio**2 * moments.m2[..., 1, 1] / d**2
    m2[..., 0, 0] = np.where(m2[..., 0, 0] > 1e-14 * size, m2[..., 0, 0], 0.0)
    return JointMoments(moments.n, mean, m2)


@quiet
def ratio_estimate(moments: JointMoments) -> Estimate:
    """A ratio of sums with its delta-method variance.

    Args:
        moments: Numerator and denominator per unit, shape (..., 2).

    Returns:
        Estimates; status ``zero_denominator`` where the denominators sum to 0.

    Examples:
        >>> m = JointMoments.from_sums(53, [30.0, 105.0], {(0, 0): 58.0, (0, 1): 80.0, (1, 1): 259.0})
        >>> ratio_estimate(m).value.round(6)
        np.float64(0.285714)
    """
    n, d = moments.n, moments.mean[..., 1]
    status = reasons(
        n.shape,
        [
            (n == 0, Reason.NO_EXPOSURE),
            (d == 0, Reason.ZERO_DENOMINATOR),
            (n < 2, Reason.INSUFFICIENT_SAMPLE),
        ],
    )
    line = linearised(moments.select([0, 1])).variable(0)
    variance = line.m2 / (n - 1.0) / n
    return Estimate(n, blank(status, line.mean), blank(status, variance), n - 1.0, status)


def ratio_delta(
    control: JointMoments,
    treatment: JointMoments,
    alpha: Any = 0.05,
    alternative: Alternative = "two-sided",
    *,
    null: FloatArray | float = 0.0,
    relative: LiftMethod = "fieller",
) -> Comparison:
    """Compare two ratios of sums: Welch's t on the linearised variance.

    Args:
        control: Numerator and denominator per unit of randomisation, shape (..., 2).
        treatment: The same for the treatment.
        alpha: Level(s).
        alternative: ``two-sided``, ``less`` or ``greater``.
        null: Difference of ratios under the null hypothesis.
        relative: Interval of the relative lift.

    Returns:
        Comparisons; `adequate` from 100 units per arm, since the linearisation is an approximation.

    Raises:
        InputError: For alpha outside (0, 1) and unknown words.

    Examples:
        >>> c = JointMoments.from_sums(53, [30.0, 105.0], {(0, 0): 58.0, (0, 1): 80.0, (1, 1): 259.0})
        >>> t = JointMoments.from_sums(47, [18.0, 89.0], {(0, 0): 30.0, (0, 1): 41.0, (1, 1): 205.0})
        >>> round(ratio_delta(c, t).p_value.item(), 5)
        0.27996
    """
    return compare(
        ratio_estimate(control),
        ratio_estimate(treatment),
        alpha,
        alternative,
        null=null,
        relative=relative,
        recommended_n=100.0,
    )
