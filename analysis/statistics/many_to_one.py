"""Distribution of the largest of several comparisons with one control, by deterministic quadrature.

Dunnett (1955), JASA 50, 1096: T_i = (l_i Y + sqrt(1 - l_i^2) X_i) / S with Y, X_i standard normal, S^2
chi-square over its degrees of freedom, and the loading l_i^2 the control's share of the comparison's
variance; the correlation of two comparisons is l_i l_j. Given Y and S the comparisons are independent. Both
integrands are analytic and die out at both ends, so that the trapezoid rule converges faster than any power
of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fairsplit.analysis.statistics.checks import as_floats, as_level, refuse
from fairsplit.analysis.statistics.group_sequential import as_sides
from fairsplit.analysis.statistics.padded import as_padded
from fairsplit.analysis.statistics.roots import rowwise_root
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairsplit.analysis.statistics.checks import FloatArray, IntArray

#: Standard deviations of the shared normal that are integrated over.
_REACH = 8.5
#: Above these degrees of freedom the t and the normal distribution agree to seven digits.
_NORMAL_DF = 1e9
_CELLS = 2_000_000
_LARGEST_GRID = 4096


@quiet
def many_to_one_p(statistic: Any, loading: Any, df: Any, *, sides: int = 2) -> FloatArray:
    """P(the largest comparison of the family is at least the statistic), when no arm has an effect.

    Args:
        statistic: Comparison's t or z value, shape (rows,); its absolute value counts for two sides.
        loading: Square roots of the control's share of the variance of every comparison in the row's family,
            shape (rows, comparisons), in [0, 1), NaN for padding.
        df: Degrees of freedom, shape (rows,), above 0, infinity for the normal.
        sides: 2, or 1 for the upper side.

    Returns:
        Adjusted p-values, shape (rows,), accurate far into the tail.

    Raises:
        InputError: ``shape_mismatch``, ``out_of_range``, ``not_finite``.

    Source:
        Dunnett (1955), equation for the joint probability; Hasler and Hothorn (2008), Biometrical Journal 50,
        793, for degrees of freedom that differ by comparison.

    Examples:
        >>> many_to_one_p([2.5135], [[0.6325, 0.6742]], [12.0]).round(3)
        array([0.05])
    """
    as_sides(sides)
    value, loads, freedom = _family(statistic, loading, df)
    return _tail(np.abs(value) if sides == 2 else value, loads, freedom, sides)


@quiet
def many_to_one_critical(loading: Any, df: Any, alpha: Any = 0.05, *, sides: int = 2) -> FloatArray:
    """The value that the largest comparison of a family exceeds with probability alpha.

    Args:
        loading: As in `many_to_one_p`, shape (rows, comparisons), NaN for padding.
        df: Degrees of freedom, shape (rows,), infinity for the normal.
        alpha: Error over the family, scalar or shape (rows,).
        sides: 2 or 1.

    Returns:
        Critical values, shape (rows,); NaN for an alpha too small to be told apart from 0.

    Raises:
        InputError: As `many_to_one_p`.

    Source:
        Dunnett (1955, 1964).

    Examples:
        >>> many_to_one_critical([[0.5**0.5] * 3], [10.0], sides=1).round(3)
        array([2.338])
    """
    from scipy import stats  # noqa: PLC0415 - half a second, which only families of comparisons need

    as_sides(sides)
    shape = np.shape(loading)[:1]
    _, loads, freedom = _family(np.zeros(shape), loading, df)
    level = np.broadcast_to(as_level(alpha), shape)
    count = np.maximum(np.sum(~np.isnan(loads), axis=1), 1)

    def excess(value: FloatArray, r: IntArray) -> FloatArray:
        return np.asarray(np.log(_tail(value, loads[r], freedom[r], sides)) - np.log(level[r]))

    # one comparison alone needs less, Bonferroni's correction more
    low = stats.t.isf(level / sides, freedom) - 1e-6
    high = stats.t.isf(level / sides / count, freedom) + 1e-6
    critical, found = rowwise_root(excess, low, high, loads.shape[0], 1e-9)
    return np.where(found, critical, np.nan)


def _family(statistic: Any, loading: Any, df: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
    value = as_floats(statistic, "statistic")
    raw = as_padded(loading, "loading")
    freedom = as_padded(df, "df")
    if value.ndim != 1 or raw.ndim != 2 or raw.shape[0] != value.size or freedom.shape != value.shape:
        shapes = f"{value.shape}, {raw.shape}, {freedom.shape}"
        raise refuse(
            "shape_mismatch",
            "rows do not pair up",
            "statistic, loading, df",
            value=shapes,
            rule="(rows,), (rows, k), (rows,)",
        )
    if np.any((raw < 0) | (raw >= 1)) or np.any(np.all(np.isnan(raw), axis=1)):
        raise refuse("out_of_range", "not a loading", "loading", rule="in [0, 1), one at least")
    if not np.all(freedom > 0):
        raise refuse("out_of_range", "no degrees of freedom", "df", rule="above 0")
    return value, raw, freedom


def _tail(value: FloatArray, loading: FloatArray, df: FloatArray, sides: int) -> FloatArray:
    out = np.empty(value.shape)
    for rows, points_y, points_s in _batches(value, loading, df):
        c, loads = value[rows], loading[rows]
        reach = _REACH + np.nanmax(loads, axis=1) * np.minimum(np.abs(c), 40.0)
        y = np.linspace(-1.0, 1.0, points_y) * reach[:, None]
        weight_y = np.exp(-0.5 * y * y) * (2.0 * reach / (points_y - 1) / np.sqrt(2.0 * np.pi))[:, None]
        s, weight_s = _scale(c, df[rows], points_s)
        stay = np.zeros((rows.size, points_s, points_y))
        edge = (c[:, None] * s)[:, :, None]
        for j in range(loads.shape[1]):
            load = np.where(np.isnan(loads[:, j]), 0.5, loads[:, j])[:, None, None]
            own = 1.0 / np.sqrt(1.0 - load * load)
            shift = load * y[:, None, :]
            beyond = special.ndtr((shift - edge) * own)
            if sides == 2:
                beyond += special.ndtr((-shift - edge) * own)
            absent = np.isnan(loads[:, j])[:, None, None]
            stay += np.where(absent, 0.0, np.log1p(-np.minimum(beyond, 1.0)))
        out[rows] = np.einsum("rsy,ry,rs->r", -np.expm1(stay), weight_y, weight_s)
    return np.minimum(out, 1.0)


def _scale(c: FloatArray, df: FloatArray, points: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for S = sqrt(chi-square / df), by the trapezoid rule in log S."""
    if points == 1:
        return np.ones((c.size, 1)), np.ones((c.size, 1))
    low, high = _scale_range(c, df)
    x = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, points)
    half = 0.5 * df[:, None]
    normaliser = np.log(2.0) + half * np.log(half) - special.gammaln(half)
    log_density = normaliser + half * (2.0 * x - np.exp(2.0 * x))
    return np.exp(x), np.exp(log_density) * ((high - low) / (points - 1))[:, None]


def _scale_range(c: FloatArray, df: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where log S counts: far out, small S brings most of the tail, so the range follows the tail."""
    from scipy import stats  # noqa: PLC0415 - half a second, which only families of comparisons need

    single = np.maximum(stats.t.sf(np.abs(c), df), 1e-280)
    low = 0.5 * np.log(np.maximum(stats.chi2.ppf(1e-13 * single, df), 1e-300) / df)
    high = 0.5 * np.log(stats.chi2.isf(1e-15, df) / df)
    return low, high


def _batches(value: FloatArray, loading: FloatArray, df: FloatArray) -> Iterator[tuple[IntArray, int, int]]:
    """Rows with similar grids together, in chunks that bound the memory."""
    largest = np.nanmax(loading, axis=1)
    width = np.minimum(1.0, np.sqrt(1.0 - largest**2) / largest)
    reach = _REACH + largest * np.minimum(np.abs(value), 40.0)
    need_y = _rounded(2.0 * reach / (0.5 * width))
    normal = df >= _NORMAL_DF
    low, high = _scale_range(value, np.where(normal, 100.0, df))
    need_s = np.where(normal, 1.0, _rounded((high - low) / _step(df)))
    for points_y, points_s in np.unique(np.stack([need_y, need_s], axis=1), axis=0):
        rows = np.flatnonzero((need_y == points_y) & (need_s == points_s))
        size = max(1, int(_CELLS // (points_y * points_s)))
        for start in range(0, rows.size, size):
            yield rows[start : start + size], int(points_y), int(points_s)


def _step(df: FloatArray) -> FloatArray:
    """Step in log S that leaves about nine digits: exp(df y^2 - 2 pi y / step) at the best y below pi / 4."""
    return np.where(df > 40.0, 0.6 / np.sqrt(df), 4.4 / (20.0 + 0.49 * df))


def _rounded(points: FloatArray) -> FloatArray:
    """Grid sizes rounded up to a few classes, 25 % apart, so that rows share grids."""
    wanted = np.clip(points, 16.0, _LARGEST_GRID)
    classes = np.ceil(np.log(wanted / 16.0) / np.log(1.25))
    return np.asarray(np.minimum(np.ceil(16.0 * 1.25**classes) + 1.0, _LARGEST_GRID))
