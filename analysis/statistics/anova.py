"""Differences among several arms at once: classical one-way and Welch's analysis of variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import refuse
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons
from fairsplit.analysis.statistics.tails import f_log_sf

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray
    from fairsplit.analysis.statistics.moments import Moments


@dataclass(frozen=True, slots=True, eq=False)
class Anova:
    """An F test per comparison.

    Attributes:
        statistic: F.
        df_between: Numerator degrees of freedom (groups that have units, minus 1).
        df_within: Denominator degrees of freedom.
        ss_between: Sum of squares between groups.
        ss_within: Sum of squares within groups.
        p_value: P(F > statistic).
        log_p: Its natural logarithm.
        effect: Omega squared, the share of variance between groups, freed of its upward bias.
        adequate: True where every group that has units has at least 15.
        status: `Reason` codes.
    """

    statistic: FloatArray
    df_between: FloatArray
    df_within: FloatArray
    ss_between: FloatArray
    ss_within: FloatArray
    p_value: FloatArray
    log_p: FloatArray
    effect: FloatArray
    adequate: BoolArray
    status: StatusArray


def _checked(groups: Moments) -> FloatArray:
    if groups.n.ndim == 0 or groups.n.shape[-1] == 0:
        raise refuse("shape_mismatch", "no groups", "groups", value=groups.n.shape, rule="(..., groups)")
    return groups.n


@quiet
def oneway(groups: Moments) -> Anova:
    """Classical one-way analysis of variance (equal variances assumed).

    Args:
        groups: Moments with the groups on the last axis, shape (..., groups); empty groups are left out.

    Returns:
        Tests; status ``zero_variance`` where no group varies.

    Raises:
        InputError: ``shape_mismatch`` without an axis of groups.

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> r = oneway(Moments.from_values([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]))
        >>> r.statistic.item(), r.ss_between.item()
        (1.5, 1.5)
    """
    n, used = _checked(groups), groups.n > 0
    total, k = n.sum(axis=-1), used.sum(axis=-1)
    # Distances from one of the means, so that offsets of 1e12 cancel before they are squared.
    origin = np.take_along_axis(groups.mean, used.argmax(axis=-1)[..., None], axis=-1)
    distance = np.where(used, groups.mean - origin, 0.0)
    centre = (n * distance).sum(axis=-1) / total
    ss_between = (n * (distance - centre[..., None]) ** 2).sum(axis=-1)
    ss_within = groups.m2.sum(axis=-1)
    df_between, df_within = k - 1.0, total - k
    within = ss_within / df_within
    statistic = ss_between / df_between / within
    omega = (ss_between - df_between * within) / (ss_between + ss_within + within)
    status = reasons(
        total.shape,
        [
            (total == 0, Reason.NO_EXPOSURE),
            ((k < 2) | (df_within < 1), Reason.INSUFFICIENT_SAMPLE),
            (ss_within == 0, Reason.ZERO_VARIANCE),
        ],
    )
    return Anova(
        blank(status, statistic),
        blank(status, df_between),
        blank(status, df_within),
        blank(status, ss_between),
        blank(status, ss_within),
        blank(status, special.fdtrc(df_between, df_within, statistic)),
        blank(status, f_log_sf(statistic, df_between, df_within)),
        blank(status, omega),
        np.asarray(np.where(used, n, np.inf).min(axis=-1) >= 15),
        status,
    )


@quiet
def welch_anova(groups: Moments) -> Anova:
    """Welch's analysis of variance for groups of unequal variance (Welch 1951), as R's ``oneway.test``.

    Args:
        groups: Moments with the groups on the last axis, shape (..., groups); empty groups are left out.

    Returns:
        Tests; status ``zero_variance`` where a group does not vary, ``insufficient_sample`` for a lone unit.

    Raises:
        InputError: ``shape_mismatch`` without an axis of groups.

    Examples:
        >>> from fairsplit.analysis.statistics.moments import Moments
        >>> r = welch_anova(Moments.from_values([[1.0, 2.0, 3.0], [2.0, 4.0, 9.0]]))
        >>> round(r.statistic.item(), 4)
        1.9286
    """
    n, used = _checked(groups), groups.n > 0
    total, k = n.sum(axis=-1), used.sum(axis=-1)
    status = reasons(
        total.shape,
        [
            (total == 0, Reason.NO_EXPOSURE),
            ((k < 2) | (used & (n < 2)).any(axis=-1), Reason.INSUFFICIENT_SAMPLE),
            ((used & (groups.m2 == 0)).any(axis=-1), Reason.ZERO_VARIANCE),
        ],
    )
    weight = np.where(used, n / groups.variance, 0.0)
    whole = weight.sum(axis=-1)
    share = weight / whole[..., None]
    origin = np.take_along_axis(groups.mean, used.argmax(axis=-1)[..., None], axis=-1)
    distance = np.where(used, groups.mean - origin, 0.0)
    centre = (share * distance).sum(axis=-1)
    spread = (np.where(used, (1.0 - share) ** 2 / (n - 1.0), 0.0)).sum(axis=-1) / (k**2 - 1.0)
    between = (weight * (distance - centre[..., None]) ** 2).sum(axis=-1)
    statistic = between / (k - 1.0) / (1.0 + 2.0 * (k - 2.0) * spread)
    df_between, df_within = k - 1.0, 1.0 / (3.0 * spread)
    classical = oneway(groups)
    return Anova(
        blank(status, statistic),
        blank(status, df_between),
        blank(status, df_within),
        blank(status, classical.ss_between),
        blank(status, classical.ss_within),
        blank(status, special.fdtrc(df_between, df_within, statistic)),
        blank(status, f_log_sf(statistic, df_between, df_within)),
        blank(status, classical.effect),
        np.asarray(np.where(used, n, np.inf).min(axis=-1) >= 15),
        status,
    )
