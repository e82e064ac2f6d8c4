"""Moments of every arm of every re-randomisation, by matrix products of the split with the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.checks import as_floats, refuse
from fairsplit.analysis.statistics.moments import JointMoments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from fairsplit.analysis.statistics.checks import FloatArray


@dataclass(frozen=True, slots=True)
class SplitMoments:
    """What the analysis needs of all splits.

    Attributes:
        arms: Joint moments of the variables, shape (runs, arms).
        daily: Units that each day brought to each arm, shape (runs, days, arms).
    """

    arms: JointMoments
    daily: FloatArray


def split_moments(
    values: ArrayLike,
    shards: Iterable[NDArray[np.uint16]],
    ranges: Sequence[tuple[int, int]],
    *,
    day: ArrayLike | None = None,
) -> SplitMoments:
    """Split the same units many times and take the moments of the arms.

    Values are centred once over all units; sums of an arm are then small, and its second moments keep their
    digits in one matrix product.

    Args:
        values: Variables of each unit, shape (units, variables).
        shards: Blocks of shards in [0, 10,000), each of shape (some runs, units).
        ranges: Half-open shard range of each arm; the first is the control.
        day: Day on which each unit came, whole numbers from 0, shape (units,); None: all on one day.

    Returns:
        `SplitMoments`.

    Raises:
        InputError: ``shape_mismatch``, ``not_finite``, ``not_whole``, ``negative``.

    Examples:
        >>> one = np.array([[0, 9999, 1]], dtype=np.uint16)
        >>> split_moments([[1.0], [5.0], [3.0]], [one], [(0, 5000), (5000, 10000)]).arms.mean[0, :, 0]
        array([2., 5.])
    """
    x = as_floats(values, "values")
    if x.ndim != 2 or x.shape[0] == 0:
        raise refuse(
            "shape_mismatch", "no table of values", "values", value=x.shape, rule="(units, variables)"
        )
    units, variables = x.shape
    days = _days(day, units)
    mean = x.mean(axis=0)
    centred = x - mean
    pairs = [(i, j) for i in range(variables) for j in range(i, variables)]
    columns = [centred, *(centred[:, [i]] * centred[:, [j]] for i, j in pairs), days]
    table = np.column_stack(columns)
    parts = []
    for block in shards:
        if block.shape[-1] != units:
            raise refuse("shape_mismatch", "not one shard for each unit", "shards", value=block.shape)
        arms = [((block >= low) & (block < high)).astype(np.float64) @ table for low, high in ranges]
        parts.append(np.stack(arms, axis=1))
    sums = np.concatenate(parts, axis=0)
    daily = np.swapaxes(sums[..., variables + len(pairs) :], 1, 2)
    n = daily.sum(axis=1)
    safe = np.maximum(n, 1.0)
    first = sums[..., :variables] / safe[..., None]
    m2 = np.empty((*n.shape, variables, variables))
    for column, (i, j) in enumerate(pairs):
        m2[..., i, j] = sums[..., variables + column] - n * first[..., i] * first[..., j]
        m2[..., j, i] = m2[..., i, j]
    return SplitMoments(JointMoments(n, np.where(n[..., None] > 0, mean + first, 0.0), m2), daily)


def _days(day: ArrayLike | None, units: int) -> FloatArray:
    """One column of zeros and ones for each day."""
    if day is None:
        return np.ones((units, 1))
    number = np.asarray(day)
    if number.shape != (units,) or number.dtype.kind not in "iu":
        raise refuse(
            "shape_mismatch", "not one day for each unit", "day", value=number.shape, rule="integers"
        )
    if number.min() < 0:
        raise refuse("negative", "day before the first", "day", value=number.min(), rule="0 or more")
    _, code = np.unique(number, return_inverse=True)
    return np.asarray(code[:, None] == np.arange(code.max() + 1), dtype=np.float64)
