"""The exact law of the two-sample Kolmogorov-Smirnov distance, counted along lattice paths."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from fairsplit.analysis.statistics.checks import FloatArray


@lru_cache(maxsize=1024)
def distance_tail(m: int, n: int, distance: int) -> float:
    """P(D >= distance / (m n)) for samples of m and n values without ties.

    Reading the pooled values in order is a path from (0, 0) to (m, n); D reaches the distance where the path leaves
    the band |i n - j m| < distance. A walk whose steps are independent (control with probability m / (m + n)) takes
    every such path with equal probability, so the chance of leaving given the end is the sum over the band's edge of
    P(first exit here) P(here to the end) / P(end). All terms are positive: small p-values keep their digits. One step
    costs some numbers as wide as the band, m + n steps milliseconds for hundreds of values.

    Args:
        m: Values of the control, above 0.
        n: Values of the treatment, above 0.
        distance: D m n, a whole number.

    Returns:
        A probability; 1 for a distance of 0.

    Source:
        Hodges (1958), Arkiv för Matematik 3, 469, section 3 (exact law by paths); Gnedenko and Korolyuk (1951).

    Examples:
        >>> round(distance_tail(5, 5, 25), 6)
        0.007937
    """
    if distance <= 0:
        return 1.0
    total = m + n
    share = m / total
    first, mass = 0, np.ones(1)
    exits: list[tuple[int, int, float]] = []
    for step in range(1, total + 1):
        moved = np.zeros(mass.size + 1)
        moved[:-1] = (1.0 - share) * mass
        moved[1:] += share * mass
        # Cells of the rectangle, and those of them inside the band, by the control's values read so far.
        low, high = max(0, step - n), min(m, step)
        moved, first = moved[max(low - first, 0) : high - first + 1], max(first, low)
        inside_low = max(low, floor((step * m - distance) / total) + 1)
        inside_high = min(high, ceil((step * m + distance) / total) - 1)
        cut = max(inside_low - first, 0)
        exits += [(step, first + at, float(moved[at])) for at in range(min(cut, moved.size))]
        end = inside_high - first + 1
        exits += [(step, first + at, float(moved[at])) for at in range(max(end, cut), moved.size)]
        mass, first = moved[cut : max(end, cut)], first + cut
        if mass.size == 0:
            break
    steps, control, left = (np.array(column, dtype=np.float64) for column in zip(*exits, strict=True))
    log_rest = _log_choose(total - steps, m - control) - _log_choose(
        np.array(float(total)), np.array(float(m))
    )
    log_walk = control * np.log(share) + (steps - control) * np.log1p(-share)
    with np.errstate(divide="ignore"):
        return float(min(np.exp(np.log(left) + log_rest - log_walk).sum(), 1.0))


def _log_choose(n: FloatArray, k: FloatArray) -> FloatArray:
    return np.asarray(-np.log1p(n) - special.betaln(n - k + 1.0, k + 1.0))
