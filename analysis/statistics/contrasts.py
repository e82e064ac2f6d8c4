"""Results of linear contrasts and of variance tests, shared by all interactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.checks import as_level
from fairsplit.analysis.statistics.status import blank
from fairsplit.analysis.statistics.tails import infer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray, StatusArray


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Estimated contrasts, arrays of one shape.

    Attributes:
        estimate: Contrast, in the unit of the means.
        se: Its standard error.
        statistic: estimate / se.
        df: Degrees of freedom; infinite for the Normal law.
        p_value: Two-sided p-value of no contrast.
        log_p_value: Its natural logarithm.
        ci_low: Lower bound of the confidence interval.
        ci_high: Upper bound.
        status: `Reason` codes: ``no_exposure``, ``insufficient_sample`` (a cell without two units),
            ``zero_variance``.
    """

    estimate: FloatArray
    se: FloatArray
    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    log_p_value: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    status: StatusArray


@dataclass(frozen=True, slots=True)
class VarianceTest:
    """F or chi-square test, arrays of one shape.

    Attributes:
        statistic: F, or Q for the chi-square test.
        df1: Numerator degrees of freedom (the only ones for Q).
        df2: Denominator degrees of freedom; infinite for Q.
        p_value: Upper-tail probability.
        log_p_value: Its natural logarithm.
        status: `Reason` codes: ``no_exposure``, ``insufficient_sample``, ``zero_variance``, ``infeasible``
            (nothing to compare).
    """

    statistic: FloatArray
    df1: FloatArray
    df2: FloatArray
    p_value: FloatArray
    log_p_value: FloatArray
    status: StatusArray


def contrasts(
    estimate: FloatArray, variance: FloatArray, df: FloatArray, status: StatusArray, alpha: ArrayLike
) -> Contrasts:
    """Test and interval of estimated contrasts.

    Args:
        estimate: Contrasts, any shape.
        variance: Their squared standard errors, same shape.
        df: Degrees of freedom; infinite for the Normal law.
        status: `Reason` codes, same shape; numbers are blanked where not OK.
        alpha: Two-sided level.

    Returns:
        `Contrasts` of that shape.

    Raises:
        InputError: alpha outside (0, 1).

    Examples:
        >>> r = contrasts(np.array([0.4]), np.array([0.04]), np.array(np.inf), np.zeros(1, np.int8), 0.05)
        >>> print(r.p_value.round(4))
        [0.0455]
    """
    se = np.sqrt(variance)
    test = infer(estimate, se, df, as_level(alpha))
    return Contrasts(
        estimate=blank(status, estimate),
        se=blank(status, se),
        statistic=blank(status, test.statistic),
        df=blank(status, np.broadcast_to(df, estimate.shape)),
        p_value=blank(status, test.p_value),
        log_p_value=blank(status, test.log_p),
        ci_low=blank(status, test.ci_low),
        ci_high=blank(status, test.ci_high),
        status=status,
    )
