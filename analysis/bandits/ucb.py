"""UCB1: optimism in the face of uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairsplit.analysis.statistics.checks import as_counts, as_floats, as_non_negative, refuse, together
from fairsplit.analysis.statistics.status import quiet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairsplit.analysis.statistics.checks import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class UcbIndex:
    """Upper confidence indices.

    Attributes:
        index: Index of each arm, shape (..., arms); infinite for an arm without pulls.
        choose: Position of the arm with the largest index (the first of equals), shape (...).
    """

    index: FloatArray
    choose: IntArray


@quiet
def ucb1(mean: ArrayLike, n: ArrayLike, alpha: ArrayLike = 1.0) -> UcbIndex:
    """Index = mean + α √(2 ln N / n), N the pulls of all arms.

    Args:
        mean: Mean reward of each arm, shape (..., arms); ignored where n is 0.
        n: Pulls of each arm, same shape.
        alpha: Width of the bonus, 0 or more; 1 is UCB1 (rewards in [0, 1]). Shape (...).

    Returns:
        `UcbIndex`.

    Raises:
        InputError: Not finite numbers, counts that are no counts, negative alpha, no axis of arms.

    Source:
        Auer, Cesa-Bianchi & Fischer (2002), Machine Learning 47, figure 1.

    Examples:
        >>> r = ucb1([0.5, 0.4], [100, 10])
        >>> print(r.index.round(4), int(r.choose))
        [0.8066 1.3696] 1
    """
    m, pulls = together({"mean": as_floats(mean, "mean"), "n": as_counts(n, "n")})
    if m.ndim == 0:
        raise refuse("shape_mismatch", "no axis of arms", "mean", value=m.shape, rule="(..., arms)")
    width = as_non_negative(alpha, "alpha")[..., None]
    total = pulls.sum(axis=-1, keepdims=True)
    bonus = width * np.sqrt(2.0 * np.log(np.maximum(total, 1.0)) / np.maximum(pulls, 1.0))
    index = np.where(pulls > 0, m + bonus, np.inf)
    return UcbIndex(index, np.asarray(index.argmax(axis=-1)))
