"""Dunnett's many-to-one comparisons: adjusted p-values with the simultaneous intervals that match them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import (
    as_counts,
    as_floats,
    as_level,
    as_non_negative,
    as_rates,
    refuse,
    together,
)
from fairsplit.analysis.statistics.group_sequential import as_sides
from fairsplit.analysis.statistics.many_to_one import many_to_one_critical, many_to_one_p
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray, StatusArray


@dataclass(frozen=True, slots=True)
class ManyToOne:
    """Comparisons with the control of their family, in input order.

    Attributes:
        statistic: Estimate over standard error.
        p_adjusted: P(the largest of the family is as extreme), under no effect.
        critical_value: What the statistic must exceed; one per row, the same over a family with equal df.
        low: Lower simultaneous bound, closed; -inf never (one side bounds from below).
        high: Upper bound; +inf for one side.
        status: `Reason` codes: ``zero_variance``, ``insufficient_sample``; such rows are in no family.
    """

    statistic: FloatArray
    p_adjusted: FloatArray
    critical_value: FloatArray
    low: FloatArray
    high: FloatArray
    status: StatusArray


@quiet
def many_to_one(
    estimate: Any,
    std_error: Any,
    control_share: Any,
    df: Any,
    family: Any = None,
    alpha: Any = 0.05,
    *,
    sides: int = 2,
) -> ManyToOne:
    """Dunnett's adjustment of comparisons that are already estimated (Welch, CUPED, ratios, …).

    Args:
        estimate: Arm minus control, shape (rows,).
        std_error: Its standard error, shape (rows,).
        control_share: Part of the squared standard error that comes from the control, in [0, 1), shape
            (rows,).
        df: Degrees of freedom of each comparison, above 0, infinity for the normal, scalar or shape (rows,).
        family: Whole-number ids, shape (rows,); one family if omitted.
        alpha: Error over a family, scalar or shape (rows,).
        sides: 2, or 1 for arms that are larger.

    Returns:
        Arrays of shape (rows,). p_adjusted is at most alpha exactly when the interval leaves out 0.

    Raises:
        InputError: ``not_finite``, ``negative``, ``out_of_range``, ``shape_mismatch``, ``not_whole``.

    Source:
        Dunnett (1955); Hasler and Hothorn (2008) for unequal variances and degrees of freedom by comparison.

    Examples:
        >>> r = many_to_one([0.2, 0.3], [0.1, 0.1], 0.5, np.inf)
        >>> r.p_adjusted.round(4), r.low.round(3)
        (array([0.0829, 0.0052]), array([-0.021,  0.079]))
    """
    as_sides(sides)
    est = as_floats(estimate, "estimate")
    if est.ndim != 1:
        raise refuse(
            "shape_mismatch", "not a row of comparisons", "estimate", value=est.shape, rule="(rows,)"
        )
    freedom = as_padded(df, "df")
    if not np.all(freedom > 0):
        raise refuse("out_of_range", "no degrees of freedom", "df", rule="above 0")
    est, se, share, level, freedom = together(
        {
            "estimate": est,
            "std_error": as_non_negative(std_error, "std_error"),
            "control_share": as_rates(control_share, "control_share"),
            "alpha": as_level(alpha),
            "df": freedom,
        }
    )
    ids = _family_ids(family, est.shape)
    status = reasons(est.shape, [(se == 0, Reason.ZERO_VARIANCE)])
    used = status == Reason.OK
    if np.any(used & (share >= 1)):
        raise refuse("out_of_range", "not a share", "control_share", rule="in [0, 1)")
    statistic = np.where(used, est / np.where(used, se, 1.0), np.nan)
    p = np.full(est.shape, np.nan)
    critical = np.full(est.shape, np.nan)
    if used.any():
        loading = _loadings(np.sqrt(share[used]), ids[used])
        p[used] = many_to_one_p(statistic[used], loading, freedom[used], sides=sides)
        critical[used] = _critical(loading, freedom[used], level[used], sides)
    margin = critical * se
    high = est + margin if sides == 2 else np.full(est.shape, np.inf)
    return ManyToOne(statistic, p, critical, blank(status, est - margin), blank(status, high), status)


@quiet
def dunnett(
    n: Any,
    mean: Any,
    variance: Any,
    control: Any,
    family: Any = None,
    alpha: Any = 0.05,
    *,
    sides: int = 2,
) -> ManyToOne:
    """Dunnett's classical procedure from each arm's n, mean and variance, pooled over the family.

    Args:
        n: Units per arm, shape (arms,).
        mean: Means, shape (arms,).
        variance: Sample variances (divisor n - 1), shape (arms,); ignored where n is 1.
        control: True for the one control of each family, shape (arms,).
        family: Whole-number ids, shape (arms,); one family if omitted.
        alpha: Error over a family.
        sides: 2, or 1 for arms that are larger.

    Returns:
        Arrays of shape (arms,), NaN at the controls; degrees of freedom are units minus arms.

    Raises:
        InputError: ``out_of_range`` for a family without exactly one control; as `many_to_one`.

    Source:
        Dunnett (1955), JASA 50, 1096.

    Examples:
        >>> r = dunnett([6, 4, 5], [8.25, 8.9, 10.938], [1.0, 0.9, 2.4], [True, False, False])
        >>> r.statistic.round(2), r.critical_value.round(3)
        (array([ nan, 0.84, 3.7 ]), array([  nan, 2.513, 2.513]))
    """
    count, average, spread = together(
        {
            "n": as_counts(n, "n"),
            "mean": as_floats(mean, "mean"),
            "variance": as_non_negative(variance, "variance"),
        }
    )
    is_control = np.asarray(control)
    if is_control.dtype != np.bool_ or is_control.shape != count.shape or count.ndim != 1:
        raise refuse("shape_mismatch", "no truth value per arm", "control", rule="booleans, shape (arms,)")
    ids = _family_ids(family, count.shape)
    _, group = np.unique(ids, return_inverse=True)
    groups = int(group.max(initial=-1)) + 1
    if np.any(np.bincount(group[is_control], minlength=groups) != 1):
        raise refuse(
            "out_of_range", "a family needs exactly one control", "control", rule="one True a family"
        )
    df = np.bincount(group, weights=np.maximum(count - 1.0, 0.0), minlength=groups)
    squares = np.bincount(group, weights=np.maximum(count - 1.0, 0.0) * spread, minlength=groups)
    pooled = np.where(df > 0, squares / np.where(df > 0, df, 1.0), np.nan)[group]
    place = np.zeros(groups, dtype=np.int64)
    place[group[is_control]] = np.flatnonzero(is_control)
    base = place[group]
    short = (count < 1) | (count[base] < 1) | (df[group] < 1)
    status = reasons(count.shape, [(short, Reason.INSUFFICIENT_SAMPLE), (pooled == 0, Reason.ZERO_VARIANCE)])
    used = ~is_control & (status == Reason.OK)
    inverse_c, inverse_t = 1.0 / count[base][used], 1.0 / count[used]
    inner = many_to_one(
        average[used] - average[base][used],
        np.sqrt(pooled[used] * (inverse_c + inverse_t)),
        inverse_c / (inverse_c + inverse_t),
        df[group][used],
        ids[used],
        np.broadcast_to(as_level(alpha), count.shape)[used],
        sides=sides,
    )
    return ManyToOne(
        statistic=_spread_out(inner.statistic, used),
        p_adjusted=_spread_out(inner.p_adjusted, used),
        critical_value=_spread_out(inner.critical_value, used),
        low=_spread_out(inner.low, used),
        high=_spread_out(inner.high, used),
        status=status,
    )


def _spread_out(values: FloatArray, used: BoolArray) -> FloatArray:
    out = np.full(used.shape, np.nan)
    out[used] = values
    return out


def _family_ids(family: Any, shape: tuple[int, ...]) -> IntArray:
    ids = np.zeros(shape, dtype=np.int64) if family is None else np.asarray(family)
    if ids.dtype.kind not in "iu":
        raise refuse(
            "not_whole", "family ids are not whole numbers", "family", value=ids.dtype, rule="integers"
        )
    if ids.shape != shape:
        raise refuse("shape_mismatch", "ids do not pair up", "family", value=ids.shape, rule="one an arm")
    return ids.astype(np.int64)


def _loadings(own: FloatArray, ids: IntArray) -> FloatArray:
    """Loadings of all comparisons in each row's family, shape (rows, largest family), NaN for padding."""
    _, group, sizes = np.unique(ids, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    starts = np.cumsum(sizes) - sizes
    column = np.empty(group.size, dtype=np.int64)
    column[order] = np.arange(group.size) - starts[group[order]]
    table = np.full((sizes.size, int(sizes.max())), np.nan)
    table[group, column] = own
    return np.asarray(table[group], dtype=np.float64)


def _critical(loading: FloatArray, df: FloatArray, alpha: FloatArray, sides: int) -> FloatArray:
    """Critical values, each distinct (loadings, df, alpha) once."""
    key = np.column_stack([np.nan_to_num(loading), np.where(np.isinf(df), -1.0, df), alpha])
    _, first, back = np.unique(key, axis=0, return_index=True, return_inverse=True)
    values = many_to_one_critical(loading[first], df[first], alpha[first], sides=sides)
    return np.asarray(values[back.reshape(-1)], dtype=np.float64)
