"""Many comparisons: p-values adjusted within explicit families, and intervals that agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsplit.analysis.statistics.checks import as_choice, as_level, refuse

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import BoolArray, FloatArray, IntArray

METHODS = ("bonferroni", "holm", "hochberg", "bh", "by")


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Adjusted p-values, per comparison.

    Attributes:
        p_adjusted: At most alpha exactly where the method rejects; NaN where the p-value was missing.
        rejected: The decision at alpha.
        family_size: Comparisons with a p-value in the family.
        interval_alpha: Error of an ordinary two-sided interval that leaves out the null exactly where the
            method rejects. Bonferroni: alpha / m, simultaneous coverage. Benjamini-Hochberg and -Yekutieli:
            the level of the false-coverage-rate intervals (R alpha / m, divided by the harmonic sum for
            Yekutieli). Holm and Hochberg: alpha / m unless only the stepwise test rejects; then the step's
            alpha, which agrees but is not covered by a simultaneous guarantee.
        simultaneous_alpha: alpha / m, whose intervals hold together at 1 - alpha whatever the method.
    """

    p_adjusted: FloatArray
    rejected: BoolArray
    family_size: IntArray
    interval_alpha: FloatArray
    simultaneous_alpha: FloatArray


@dataclass(frozen=True, slots=True)
class _Families:
    """p-values sorted by family and size, with their places inside the family."""

    order: IntArray
    p: FloatArray
    family: IntArray
    rank: FloatArray
    size: FloatArray


def adjust_p_values(
    p_value: Any, family: Any = None, *, method: str = "holm", alpha: float = 0.05
) -> Adjusted:
    """Adjust p-values for the number of comparisons in each family, all families at once.

    Args:
        p_value: Shape (comparisons,), NaN where a comparison has none: it is then in no family.
        family: Whole-number ids, shape (comparisons,); one family if omitted.
        method: ``bonferroni``, ``holm``, ``hochberg`` (family-wise error), ``bh``, ``by`` (false discovery
            rate).
        alpha: Error over a family, in (0, 1).

    Returns:
        Arrays of shape (comparisons,), in input order.

    Raises:
        InputError: p-values outside [0, 1], truth values or text; ids that are not whole numbers; unequal
            lengths.

    Source:
        Holm (1979); Hochberg (1988), Biometrika 75, 800; Benjamini and Hochberg (1995), JRSS B 57, 289;
        Benjamini and Yekutieli (2001), Annals of Statistics 29, 1165, and (2005), JASA 100, 71 for the
        intervals.

    Examples:
        >>> r = adjust_p_values([0.01, 0.04, 0.03, 0.2], [7, 7, 7, 9], method="holm")
        >>> r.p_adjusted.round(3), r.rejected
        (array([0.03, 0.06, 0.06, 0.2 ]), array([ True, False, False, False]))
    """
    as_choice(method, "method", METHODS)
    level = float(as_level(alpha))
    p, ids = _inputs(p_value, family)
    present = ~np.isnan(p)
    adjusted = np.full(p.shape, np.nan)
    size = np.zeros(p.shape, dtype=np.int64)
    interval = np.full(p.shape, np.nan)
    if present.any():
        families = _sorted(p[present], ids[present])
        q, interval_alpha = _by_method(families, method, level)
        places = np.flatnonzero(present)[families.order]
        adjusted[places] = q
        size[places] = families.size.astype(np.int64)
        interval[places] = interval_alpha
    rejected = present & (np.nan_to_num(adjusted, nan=1.0) <= level)
    simultaneous = np.where(present, level / np.maximum(size, 1), np.nan)
    return Adjusted(adjusted, rejected, size, interval, simultaneous)


def _inputs(p_value: Any, family: Any) -> tuple[FloatArray, IntArray]:
    raw = np.asarray(p_value)
    if raw.dtype.kind not in "iuf" or raw.ndim != 1:
        raise refuse(
            "not_a_number",
            "not a row of numbers",
            "p_value",
            value=f"{raw.dtype} {raw.shape}",
            rule="shape (n,)",
        )
    p = raw.astype(np.float64)
    if np.any((p < 0) | (p > 1)):
        raise refuse("out_of_range", "not a p-value", "p_value", rule="between 0 and 1, or NaN")
    ids = np.zeros(p.shape, dtype=np.int64) if family is None else np.asarray(family)
    if ids.dtype.kind not in "iu":
        raise refuse(
            "not_whole", "family ids are not whole numbers", "family", value=ids.dtype, rule="integers"
        )
    if ids.shape != p.shape:
        raise refuse(
            "shape_mismatch", "ids do not pair up with p-values", "family", value=ids.shape, rule=f"{p.shape}"
        )
    return p, ids.astype(np.int64)


def _sorted(p: FloatArray, ids: IntArray) -> _Families:
    order = _by_family_and_size(p, ids)
    family = ids[order]
    first = np.append(True, family[1:] != family[:-1])
    starts = np.flatnonzero(first)
    sizes = np.diff(np.append(starts, family.size))
    index = np.cumsum(first) - 1
    rank = np.arange(family.size) - starts[index] + 1
    return _Families(order, p[order], index, rank.astype(np.float64), sizes[index].astype(np.float64))


def _by_family_and_size(p: FloatArray, ids: IntArray) -> IntArray:
    low, high = int(ids.min()), int(ids.max())
    if high - low > np.iinfo(np.uint16).max:
        return np.lexsort((p, ids))
    # short ids are sorted by radix, in a third of the time
    by_size = np.argsort(p)
    short = (ids[by_size] - low).astype(np.uint16)
    return np.asarray(by_size[np.argsort(short, kind="stable")])


def _by_method(f: _Families, method: str, alpha: float) -> tuple[FloatArray, FloatArray]:
    remaining = f.size - f.rank + 1.0
    if method == "bonferroni":
        return np.minimum(f.p * f.size, 1.0), alpha / f.size
    if method == "holm":
        q = _running_maximum(np.minimum(f.p * remaining, 1.0), f.family)
        return q, _stepwise_level(f, q, alpha)
    if method == "hochberg":
        q = _falling_minimum(np.minimum(f.p * remaining, 1.0), f.family)
        return q, _stepwise_level(f, q, alpha)
    penalty = _harmonic(f.size) if method == "by" else np.ones_like(f.size)
    q = _falling_minimum(np.minimum(f.p * f.size * penalty / f.rank, 1.0), f.family)
    found = np.bincount(f.family, weights=q <= alpha)[f.family]
    return q, np.maximum(found, 1.0) * alpha / (f.size * penalty)


def _stepwise_level(f: _Families, q: FloatArray, alpha: float) -> FloatArray:
    """Bonferroni's level, unless only the stepwise method rejects: then that of the last rejecting step."""
    rejected = q <= alpha
    steps = np.bincount(f.family, weights=rejected)[f.family]
    step = alpha / np.maximum(f.size - steps + 1.0, 1.0)
    return np.where(rejected & (f.p > alpha / f.size), step, alpha / f.size)


def _running_maximum(values: FloatArray, family: IntArray) -> FloatArray:
    """Cumulative maximum inside each family, by doubling: log2(largest family) passes."""
    out = values.copy()
    step = 1
    longest = int(np.bincount(family).max())
    while step < longest:
        same = family[step:] == family[:-step]
        out[step:] = np.where(same, np.maximum(out[step:], out[:-step]), out[step:])
        step *= 2
    return out


def _falling_minimum(values: FloatArray, family: IntArray) -> FloatArray:
    """Cumulative minimum from the end inside each family."""
    flipped = family[::-1].max(initial=0) - family[::-1]
    return -_running_maximum(-values[::-1], flipped)[::-1]


def _harmonic(size: FloatArray) -> FloatArray:
    sums = np.append(0.0, np.cumsum(1.0 / np.arange(1.0, size.max() + 1.0)))
    return np.asarray(sums[size.astype(np.int64)], dtype=np.float64)
