"""Sample size and power of tests of several groups: chi-square tables and one-way analysis of variance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from fairsplit.analysis.statistics.checks import as_counts, as_level, as_positive, refuse, together
from fairsplit.analysis.statistics.roots import rowwise_root
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairsplit.analysis.statistics.checks import FloatArray, IntArray

#: Units between which a search looks, over all groups.
_LARGEST_N = 1e15
#: Noncentrality beyond which power is 1 and SciPy's series are not asked.
_LARGEST_SHIFT = 1e4


@quiet
def power_chi_square(effect: Any, n: Any, df: Any, alpha: Any = 0.05) -> FloatArray:
    """Power of a chi-square test of goodness of fit or independence.

    Args:
        effect: Cohen's w = sqrt(sum (p1 - p0)^2 / p0) over the cells, above 0.
        n: Units in the table, above 0.
        df: Degrees of freedom, at least 1.
        alpha: Error.

    Returns:
        Power, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``not_whole``, ``not_finite``.

    Source:
        Cohen (1988), chapter 7: noncentral chi-square with noncentrality n w^2.

    Examples:
        >>> power_chi_square([0.1], 785, 1).round(3)
        array([0.8])
    """
    w, units, freedom, level = together(
        {
            "effect": as_positive(effect, "effect"),
            "n": as_positive(n, "n"),
            "df": _freedom(df, "df"),
            "alpha": as_level(alpha),
        }
    )
    return _chi_square_power(units, w, freedom, level)


def sample_size_chi_square(effect: Any, df: Any, power: Any = 0.8, alpha: Any = 0.05) -> FloatArray:
    """Units in the table for a wanted power of a chi-square test (also of a split: how soon a mismatch is seen).

    Args:
        effect: Cohen's w, above 0.
        df: Degrees of freedom, at least 1.
        power: In (alpha, 1).
        alpha: Error.

    Returns:
        Units, unrounded, broadcast shape; NaN where more than 1e15 are needed.

    Raises:
        InputError: ``out_of_range``, ``not_whole``, ``not_finite``.

    Source:
        Inverse of `power_chi_square` in n.

    Examples:
        >>> sample_size_chi_square([0.1], 1).round(1)
        array([784.9])
    """
    w, freedom, aim, level = together(
        {
            "effect": as_positive(effect, "effect"),
            "df": _freedom(df, "df"),
            "power": as_level(power, "power"),
            "alpha": as_level(alpha),
        }
    )
    return _search(_chi_square_power, 1e-6, aim, (w, freedom, level))


@quiet
def power_anova(effect: Any, n: Any, groups: Any, alpha: Any = 0.05) -> FloatArray:
    """Power of one-way analysis of variance with equal groups.

    Args:
        effect: Cohen's f, standard deviation of the group means over that within groups, above 0.
        n: Units over all groups, more than there are groups.
        groups: At least 2.
        alpha: Error.

    Returns:
        Power, broadcast shape.

    Raises:
        InputError: ``out_of_range``, ``not_whole``, ``not_finite``.

    Source:
        Cohen (1988), chapter 8: noncentral F with noncentrality n f^2.

    Examples:
        >>> power_anova([0.25], 180, 4).round(3)
        array([0.804])
    """
    f, units, k, level = together(
        {
            "effect": as_positive(effect, "effect"),
            "n": as_positive(n, "n"),
            "groups": _groups(groups),
            "alpha": as_level(alpha),
        }
    )
    if np.any(units <= k):
        raise refuse("out_of_range", "no degrees of freedom", "n", rule="more units than groups")
    return _anova_power(units, f, k, level)


def sample_size_anova(effect: Any, groups: Any, power: Any = 0.8, alpha: Any = 0.05) -> FloatArray:
    """Units over all groups for a wanted power of one-way analysis of variance.

    Args:
        effect: Cohen's f, above 0.
        groups: At least 2.
        power: In (alpha, 1).
        alpha: Error.

    Returns:
        Units, unrounded, broadcast shape; at least one more than groups, NaN where more than 1e15 are needed.

    Raises:
        InputError: ``out_of_range``, ``not_whole``, ``not_finite``.

    Source:
        Inverse of `power_anova` in n.

    Examples:
        >>> sample_size_anova([0.25], 4).round(1)
        array([178.4])
    """
    f, k, aim, level = together(
        {
            "effect": as_positive(effect, "effect"),
            "groups": _groups(groups),
            "power": as_level(power, "power"),
            "alpha": as_level(alpha),
        }
    )
    return _search(_anova_power, k + 1.0, aim, (f, k, level))


def _freedom(value: Any, name: str) -> FloatArray:
    df = as_counts(value, name)
    if np.any(df < 1):
        raise refuse("out_of_range", "no degrees of freedom", name, rule="at least 1")
    return df


def _groups(value: Any) -> FloatArray:
    groups = as_counts(value, "groups")
    if np.any(groups < 2):
        raise refuse("out_of_range", "nothing to compare", "groups", rule="at least 2")
    return groups


def _chi_square_power(n: FloatArray, w: FloatArray, df: FloatArray, alpha: FloatArray) -> FloatArray:
    shift = np.minimum(n * w * w, _LARGEST_SHIFT)
    return np.asarray(stats.ncx2.sf(stats.chi2.isf(alpha, df), df, shift), dtype=np.float64)


def _anova_power(n: FloatArray, f: FloatArray, k: FloatArray, alpha: FloatArray) -> FloatArray:
    shift = np.minimum(n * f * f, _LARGEST_SHIFT)
    # many units: F is chi-square over its degrees of freedom, and the noncentral F's series need not be
    # trusted
    large = n > 1e7
    within = np.where(large, 10.0, n - k)
    exact = stats.ncf.sf(stats.f.isf(alpha, k - 1.0, within), k - 1.0, within, np.where(large, 1.0, shift))
    limit = stats.ncx2.sf(stats.chi2.isf(alpha, k - 1.0), k - 1.0, shift)
    return np.where(large, limit, exact)


@quiet
def _search(
    power_at: Callable[[FloatArray, FloatArray, FloatArray, FloatArray], FloatArray],
    lowest: Any,
    aim: FloatArray,
    args: tuple[FloatArray, FloatArray, FloatArray],
) -> FloatArray:
    """Units at which the power reaches its aim, on the log scale."""
    if np.any(aim <= args[2]):
        raise refuse("out_of_range", "power at most alpha", "power", rule="above alpha")
    effect, shape, level, goal = (x.reshape(-1) for x in (*args, aim))
    low = np.log(np.broadcast_to(lowest, aim.shape).reshape(-1))

    def excess(log_n: FloatArray, r: IntArray) -> FloatArray:
        return power_at(np.exp(log_n), effect[r], shape[r], level[r]) - goal[r]

    log_n, found = rowwise_root(excess, low, np.log(_LARGEST_N), low.size, 1e-12)
    enough = excess(low, np.arange(low.size)) >= 0
    n = np.where(found, np.exp(log_n), np.where(enough, np.exp(low), np.nan))
    return np.asarray(n.reshape(aim.shape), dtype=np.float64)
