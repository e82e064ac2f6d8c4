"""Chi-square tests of counts: independence in a table, goodness of fit to a ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_counts, as_non_negative, refuse
from fairsplit.analysis.statistics.chi_square_tail import chi2_log_sf
from fairsplit.analysis.statistics.status import Reason, blank, quiet, reasons

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, StatusArray

#: Cochran's rule: expected counts from which the chi-square approximation is trusted.
ENOUGH_EXPECTED = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class ChiSquare:
    """Pearson's chi-square per comparison.

    Attributes:
        statistic: Sum of (observed - expected)^2 / expected.
        df: Degrees of freedom; rows and columns without any count do not add to it.
        p_value: P(X > statistic).
        log_p: Its natural logarithm.
        smallest_expected: The smallest expected count.
        effect: Cramer's V for a table, Cohen's w for a ratio.
        adequate: True where every expected count is at least 5.
        status: `Reason` codes.
    """

    statistic: FloatArray
    df: FloatArray
    p_value: FloatArray
    log_p: FloatArray
    smallest_expected: FloatArray
    effect: FloatArray
    adequate: BoolArray
    status: StatusArray


@quiet
def chi_square_independence(table: Any) -> ChiSquare:
    """Pearson's test that rows and columns are independent, without continuity correction.

    Args:
        table: Counts, shape (..., rows, columns); arms in rows, outcomes in columns.

    Returns:
        Tests; status ``insufficient_sample`` where fewer than two rows or columns have counts.

    Raises:
        InputError: For negative or fractional counts and fewer than two axes.

    Examples:
        >>> r = chi_square_independence([[762, 327, 468], [484, 239, 477]])
        >>> round(r.statistic.item(), 4), r.df.item()
        (30.0701, 2.0)
    """
    counts = as_counts(table, "table")
    if counts.ndim < 2:
        raise refuse(
            "shape_mismatch", "too few axes", "table", value=counts.shape, rule="(..., rows, columns)"
        )
    rows, columns = counts.sum(axis=-1), counts.sum(axis=-2)
    total = rows.sum(axis=-1)
    expected = rows[..., :, None] / np.maximum(total, 1.0)[..., None, None] * columns[..., None, :]
    used_rows, used_columns = (rows > 0).sum(axis=-1), (columns > 0).sum(axis=-1)
    smaller = np.minimum(used_rows, used_columns) - 1.0
    statistic, smallest = _pearson(counts, expected, (-2, -1))
    df = (used_rows - 1.0) * (used_columns - 1.0)
    return _result(statistic, df, smallest, total, np.maximum(smaller, 1.0))


@quiet
def chi_square_fit(observed: Any, ratio: Any) -> ChiSquare:
    """Pearson's test that counts follow a ratio.

    Args:
        observed: Counts, shape (..., k).
        ratio: Expected ratio of any positive total, broadcastable; a category of ratio 0 must be empty.

    Returns:
        Tests. A count where the ratio is 0 cannot happen: infinite statistic, p = 0.

    Raises:
        InputError: For negative numbers, fractional counts, a ratio that sums to 0, shapes that do not fit.

    Examples:
        >>> r = chi_square_fit([50, 30, 20], [2, 1, 1])
        >>> r.statistic.item(), round(r.p_value.item(), 4)
        (2.0, 0.3679)
    """
    counts, weights = as_counts(observed, "observed"), as_non_negative(ratio, "ratio")
    if counts.shape[-1:] != weights.shape[-1:]:
        raise refuse(
            "shape_mismatch", "counts and ratio differ", "ratio", value=weights.shape, rule=f"{counts.shape}"
        )
    whole = weights.sum(axis=-1, keepdims=True)
    if np.any(whole <= 0):
        raise refuse("out_of_range", "ratio sums to 0", "ratio", rule="at least one positive share")
    total = counts.sum(axis=-1)
    expected = total[..., None] * (weights / whole)
    statistic, smallest = _pearson(counts, expected, (-1,))
    df = np.broadcast_to(((weights > 0).sum(axis=-1) - 1.0), statistic.shape)
    impossible = ((counts > 0) & (weights == 0)).any(axis=-1)
    return _result(np.where(impossible, np.inf, statistic), df, smallest, total, np.ones_like(total))


def _pearson(
    counts: FloatArray, expected: FloatArray, axes: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    used = expected > 0
    parts = np.where(used, (counts - expected) ** 2 / np.where(used, expected, 1.0), 0.0)
    return parts.sum(axis=axes), np.where(used, expected, np.inf).min(axis=axes)


def _result(
    statistic: FloatArray, df: FloatArray, smallest: FloatArray, total: FloatArray, freedom: FloatArray
) -> ChiSquare:
    status = reasons(
        statistic.shape,
        [(total == 0, Reason.NO_EXPOSURE), ((df < 1) & np.isfinite(statistic), Reason.INSUFFICIENT_SAMPLE)],
    )
    return ChiSquare(
        blank(status, statistic),
        blank(status, np.asarray(df, dtype=np.float64)),
        blank(status, special.chdtrc(np.maximum(df, 1.0), statistic)),
        blank(status, chi2_log_sf(statistic, np.maximum(df, 1.0))),
        blank(status, smallest),
        blank(status, np.sqrt(statistic / total / freedom)),
        np.asarray(smallest >= ENOUGH_EXPECTED),
        status,
    )
